{{/* Names. A release `lexecon` names its resources `lexecon`, which is what the guide's commands say. */}}
{{- define "lexecon.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "lexecon.fullname" -}}
{{- $name := include "lexecon.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "lexecon.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "lexecon.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end }}

{{/* What selects the pods of a role: dict root role. It can never change, so no common labels are in it. The role is part of
     `app`: the Service of the pods that decide must not reach the audit replica. */}}
{{- define "lexecon.selector" -}}
app: {{ ternary "lexecon" "lexecon-audit" (eq .role "decide") }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- define "lexecon.labels" -}}
{{- $labels := include "lexecon.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/name" (include "lexecon.name" .root) -}}
{{- $_ := set $labels "app.kubernetes.io/component" .role -}}
{{- $_ := set $labels "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) -}}
{{- toYaml (merge $labels .root.Values.commonLabels) -}}
{{- end }}

{{/* Metadata of every resource: dict root role name, and labels and annotations of its own. */}}
{{- define "lexecon.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- toYaml (merge (include "lexecon.labels" . | fromYaml) (.labels | default dict)) | nindent 2 }}
{{- with merge (deepCopy (.annotations | default dict)) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A value as the text of a variable. Helm reads whole numbers as floats, which print as 1.048576e+06. */}}
{{- define "lexecon.text" -}}
{{- if kindIs "float64" . -}}{{ int64 . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end }}

{{- define "lexecon.apiKey" -}}
{{- if or .Values.apiKey.enabled .Values.ingress.enabled .Values.apiKey.existingSecret }}true{{ end -}}
{{- end }}
{{- define "lexecon.apiKeySecret" -}}
{{- .Values.apiKey.existingSecret | default (printf "%s-secrets" (include "lexecon.fullname" .)) -}}
{{- end }}

{{/* A quantity of memory in MiB. */}}
{{- define "lexecon.mib" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+" $text | float64 -}}
{{- $unit := regexReplaceAll "^[0-9.]+" $text "" -}}
{{- $units := dict "" 1 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 -}}
{{- if not (hasKey $units $unit) }}{{ fail (printf "resources: %q is no quantity of memory; expected one such as 512Mi or 1Gi" $text) }}{{ end -}}
{{- divf (mulf $number (get $units $unit | float64)) 1048576.0 | floor | int64 -}}
{{- end }}

{{/* The service's memory budget in MiB, or nothing: then it is 60% of the container's limit.
     An HPA by memory measures against the request. A budget is made to be filled, so a full one, and the program around it
     (96 MiB), must stay below the target: else the HPA goes to its maximum and stays there, since more pods empty no budget. */}}
{{- define "lexecon.memoryBudget" -}}
{{- $hpa := .Values.autoscaling -}}
{{- $request := dig "requests" "memory" "" .Values.resources -}}
{{- $limit := dig "limits" "memory" $request .Values.resources -}}
{{- if and $hpa.enabled $hpa.targetMemoryUtilizationPercentage $request -}}
{{- $room := sub (div (mul (include "lexecon.mib" $request | int64) (int64 $hpa.targetMemoryUtilizationPercentage)) 100) 96 -}}
{{- if lt $room 48 -}}
{{- fail (printf "resources.requests.memory is %s: %d%% of it leave no room for a memory budget; raise it to 192Mi or more, or set autoscaling.targetMemoryUtilizationPercentage to null" $request (int64 $hpa.targetMemoryUtilizationPercentage)) -}}
{{- end -}}
{{- min $room (div (mul (include "lexecon.mib" $limit | int64) 60) 100) -}}
{{- end -}}
{{- end }}

{{/* Every variable that is no secret and the same for all pods, as a dict: the ConfigMap's data. */}}
{{- define "lexecon.environment" -}}
{{- $v := .Values -}}
{{- $env := dict
  "LEXECON_ORIGIN_PREFIX" $v.config.originPrefix
  "LEXECON_LOG_LEVEL" $v.config.logLevel
  "LEXECON_LOG_FORMAT" $v.config.logFormat
  "LEXECON_POLICY_MODE" $v.config.policyMode
  "LEXECON_SERVER_WORKERS" $v.config.serverWorkers
  "LEXECON_CACHE_EVALUATIONS" $v.config.cacheEvaluations
  "LEXECON_DEFAULT_TTL" $v.config.defaultTTL
  "LEXECON_MAX_TTL" $v.config.maxTTL
  "LEXECON_AUTO_VERIFY" $v.config.autoVerify
  "LEXECON_INTEGRITY_CHECK_INTERVAL" $v.config.integrityCheckInterval
  "LEXECON_DATA_DIR" "/data/.lexecon"
  "LEXECON_POLICY" "/etc/lexecon/policy"
  "LEXECON_KEYS" "mounted"
  "LEXECON_KEYS_DIR" "/etc/lexecon/keys"
  "LEXECON_MEMORY_BUDGET_MB" (include "lexecon.memoryBudget" .)
  "LEXECON_KAFKA_BOOTSTRAP_SERVERS" $v.kafka.bootstrapServers
  "LEXECON_KAFKA_SECURITY_PROTOCOL" $v.kafka.securityProtocol
  "LEXECON_KAFKA_SASL_MECHANISM" $v.kafka.sasl.mechanism
  "LEXECON_KAFKA_SASL_USERNAME" $v.kafka.sasl.username
  "LEXECON_SCHEMA_REGISTRY_URL" $v.schemaRegistry.url
  "OTEL_EXPORTER_OTLP_ENDPOINT" $v.otlp.endpoint -}}
{{- if $v.kafka.tls.caSecret }}{{ $_ := set $env "LEXECON_KAFKA_SSL_CA_LOCATION" (printf "/etc/lexecon/kafka-ca/%s" $v.kafka.tls.caKey) }}{{ end -}}
{{- if $v.kafka.tls.clientSecret -}}
{{- $_ := set $env "LEXECON_KAFKA_SSL_CERTIFICATE_LOCATION" (printf "/etc/lexecon/kafka-client/%s" $v.kafka.tls.certKey) -}}
{{- $_ := set $env "LEXECON_KAFKA_SSL_KEY_LOCATION" (printf "/etc/lexecon/kafka-client/%s" $v.kafka.tls.keyKey) -}}
{{- end -}}
{{- if $v.schemaRegistry.existingSecret }}{{ $_ := set $env "LEXECON_SCHEMA_REGISTRY_AUTH_FILE" (printf "/etc/lexecon/registry/%s" $v.schemaRegistry.secretKey) }}{{ end -}}
{{- if $v.schemaRegistry.caSecret }}{{ $_ := set $env "LEXECON_SCHEMA_REGISTRY_CA_FILE" (printf "/etc/lexecon/registry-ca/%s" $v.schemaRegistry.caKey) }}{{ end -}}
{{- if include "lexecon.apiKey" . }}{{ $_ := set $env "LEXECON_API_KEY_FILE" (printf "/etc/lexecon/secrets/%s" $v.apiKey.secretKey) }}{{ end -}}
{{- range $key, $value := $v.kafka.extraConfig }}{{ $_ := set $env (printf "LEXECON_KAFKA_%s" ($key | replace "." "_" | upper)) $value }}{{ end -}}
{{- range $key, $value := $v.config.extra }}{{ $_ := set $env (printf "LEXECON_%s" (upper $key)) $value }}{{ end -}}
{{- $data := dict -}}
{{- range $key, $value := $env }}{{ with include "lexecon.text" $value }}{{ $_ := set $data $key . }}{{ end }}{{ end -}}
{{- toYaml $data -}}
{{- end }}

{{- define "lexecon.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end -}}
{{- end }}

{{/* The pod of a role: dict root role ("decide" or "audit") resources. The two differ in what they keep and what they are told. */}}
{{- define "lexecon.pod" -}}
{{- $v := .root.Values -}}
{{- $name := include "lexecon.fullname" .root -}}
metadata:
  labels:
    {{- toYaml (merge (include "lexecon.labels" . | fromYaml) $v.podLabels) | nindent 4 }}
  annotations:
    checksum/config: {{ include "lexecon.environment" .root | sha256sum }}
    {{- if and $v.policy.document $v.policy.restartOnChange }}
    checksum/policy: {{ include "lexecon.policyText" .root | sha256sum }}
    {{- end }}
    {{- toYaml (merge (deepCopy $v.podAnnotations) $v.commonAnnotations (dict "prometheus.io/scrape" "true" "prometheus.io/port" "8000" "prometheus.io/path" "/metrics")) | nindent 4 }}
spec:
  serviceAccountName: {{ include "lexecon.serviceAccount" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
  {{- with $v.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $v.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $v.podSecurityContext | nindent 4 }}
  {{- with $v.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $v.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and $v.topologySpread.enabled (eq .role "decide") }}
  topologySpreadConstraints:
    {{- if $v.topologySpread.constraints }}
    {{- toYaml $v.topologySpread.constraints | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $v.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "lexecon.selector" $ | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
    {{- end }}
  {{- end }}
  {{- with $v.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: lexecon
      image: {{ include "lexecon.image" .root | quote }}
      imagePullPolicy: {{ $v.image.pullPolicy }}
      ports:
        - name: http
          containerPort: 8000
          protocol: TCP
      envFrom:
        - configMapRef:
            name: {{ $name }}
        {{- with $v.envFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      env:
        - name: LEXECON_NODE_ID
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        {{- if eq .role "audit" }}
        - name: LEXECON_ROLE
          value: audit
        - name: LEXECON_MIRROR_SCOPE
          value: all
        - name: LEXECON_CREATE_TOPICS
          value: "false"
        - name: LEXECON_MEMORY_BUDGET_MB
          value: ""
        {{- end }}
        {{- with $v.kafka.sasl }}
        {{- if .existingSecret }}
        {{- if not .username }}
        - name: LEXECON_KAFKA_SASL_USERNAME
          valueFrom:
            secretKeyRef:
              name: {{ .existingSecret }}
              key: {{ .usernameKey }}
        {{- end }}
        - name: LEXECON_KAFKA_SASL_PASSWORD
          valueFrom:
            secretKeyRef:
              name: {{ .existingSecret }}
              key: {{ .passwordKey }}
        {{- end }}
        {{- end }}
        {{- with $v.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      startupProbe:
        {{- toYaml $v.startupProbe | nindent 8 }}
      livenessProbe:
        {{- toYaml $v.livenessProbe | nindent 8 }}
      readinessProbe:
        {{- toYaml $v.readinessProbe | nindent 8 }}
      {{- with $v.lifecycle }}
      lifecycle:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- toYaml $v.securityContext | nindent 8 }}
      volumeMounts:
        - name: data
          mountPath: /data/.lexecon
        - name: tmp
          mountPath: /tmp
        {{- range include "lexecon.mounts" . | fromYamlArray }}
        - name: {{ .name }}
          mountPath: /etc/lexecon/{{ .name }}
          readOnly: true
        {{- end }}
        {{- with $v.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with $v.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: data
      {{- if and (eq .role "audit") $v.persistence.enabled }}
      persistentVolumeClaim:
        claimName: {{ $v.persistence.existingClaim | default (printf "%s-audit" $name) }}
      {{- else }}
      emptyDir:
        sizeLimit: {{ $v.mirror.sizeLimit }}
      {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- range include "lexecon.mounts" . | fromYamlArray }}
    - name: {{ .name }}
      {{- if .configMap }}
      configMap:
        name: {{ .configMap }}
        optional: {{ .optional }}
      {{- else }}
      secret:
        secretName: {{ .secret }}
        optional: {{ .optional }}
        defaultMode: 0440
      {{- end }}
    {{- end }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* What is mounted under /etc/lexecon, as a list. Optional is what the service does without and says so: it may come later. */}}
{{- define "lexecon.mounts" -}}
{{- $v := .root.Values -}}
{{- $name := include "lexecon.fullname" .root -}}
- {name: policy, configMap: {{ $v.policy.existingConfigMap | default (printf "%s-policy" $name) }}, optional: true}
- {name: keys, secret: {{ $v.keys.existingSecret | default (printf "%s-keys" $name) }}, optional: true}
{{- if include "lexecon.apiKey" .root }}
- {name: secrets, secret: {{ include "lexecon.apiKeySecret" .root }}, optional: false}
{{- end }}
{{- with $v.kafka.tls.caSecret }}
- {name: kafka-ca, secret: {{ . }}, optional: false}
{{- end }}
{{- with $v.kafka.tls.clientSecret }}
- {name: kafka-client, secret: {{ . }}, optional: false}
{{- end }}
{{- with $v.schemaRegistry.existingSecret }}
- {name: registry, secret: {{ . }}, optional: false}
{{- end }}
{{- with $v.schemaRegistry.caSecret }}
- {name: registry-ca, secret: {{ . }}, optional: false}
{{- end }}
{{- end }}

{{/* The policy as it is written into the ConfigMap: text as it is, an object as JSON. */}}
{{- define "lexecon.policyText" -}}
{{- if kindIs "string" .Values.policy.document }}{{ .Values.policy.document }}{{ else }}{{ toPrettyJson .Values.policy.document }}{{ end -}}
{{- end }}

{{/* What values can say and nothing can do. The schema refuses what is wrong in itself; this, what is wrong together. */}}
{{- define "lexecon.refuse" -}}
{{- $v := .Values -}}
{{- if and $v.autoscaling.enabled $v.keda.enabled }}{{ fail "autoscaling.enabled and keda.enabled are both true: two controllers would set one number of pods; set one of them to false" }}{{ end -}}
{{- if and $v.autoscaling.enabled (gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}{{ fail (printf "autoscaling.minReplicas (%d) is above autoscaling.maxReplicas (%d)" (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas)) }}{{ end -}}
{{- if and $v.keda.enabled (gt (int $v.keda.minReplicas) (int $v.keda.maxReplicas)) }}{{ fail (printf "keda.minReplicas (%d) is above keda.maxReplicas (%d)" (int $v.keda.minReplicas) (int $v.keda.maxReplicas)) }}{{ end -}}
{{- if and $v.autoscaling.enabled (not (or $v.autoscaling.targetCPUUtilizationPercentage $v.autoscaling.targetMemoryUtilizationPercentage)) }}{{ fail "autoscaling.enabled is true, but neither targetCPUUtilizationPercentage nor targetMemoryUtilizationPercentage is set: there is nothing to scale by" }}{{ end -}}
{{- if and $v.autoscaling.targetCPUUtilizationPercentage $v.autoscaling.enabled (not (dig "requests" "cpu" "" $v.resources)) }}{{ fail "autoscaling.targetCPUUtilizationPercentage measures against resources.requests.cpu, which is not set" }}{{ end -}}
{{- if and $v.autoscaling.targetMemoryUtilizationPercentage $v.autoscaling.enabled (not (dig "requests" "memory" "" $v.resources)) }}{{ fail "autoscaling.targetMemoryUtilizationPercentage measures against resources.requests.memory, which is not set" }}{{ end -}}
{{- if and $v.serviceMonitor.enabled $v.podMonitor.enabled }}{{ fail "serviceMonitor.enabled and podMonitor.enabled are both true: every sample would come twice; set one of them to false" }}{{ end -}}
{{- if and $v.policy.document $v.policy.existingConfigMap }}{{ fail "policy.document and policy.existingConfigMap are both set: they are two ways to give one policy" }}{{ end -}}
{{- if and $v.kafka.sasl.mechanism (not (hasPrefix "SASL_" $v.kafka.securityProtocol)) }}{{ fail (printf "kafka.sasl.mechanism is %s, but kafka.securityProtocol is %s; expected SASL_SSL or SASL_PLAINTEXT" $v.kafka.sasl.mechanism $v.kafka.securityProtocol) }}{{ end -}}
{{- if and (hasPrefix "SASL_" $v.kafka.securityProtocol) (not $v.kafka.sasl.mechanism) }}{{ fail (printf "kafka.securityProtocol is %s, but kafka.sasl.mechanism is not set" $v.kafka.securityProtocol) }}{{ end -}}
{{- if le (int $v.terminationGracePeriodSeconds) (div (int (dig "shutdown_timeout_ms" 25000 $v.config.extra)) 1000 | int) }}{{ fail (printf "terminationGracePeriodSeconds (%d) must be above the drain time, shutdown_timeout_ms (%d ms)" (int $v.terminationGracePeriodSeconds) (int (dig "shutdown_timeout_ms" 25000 $v.config.extra))) }}{{ end -}}
{{- end }}

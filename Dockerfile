# The service and its command, on Debian: `docker build -t lexecon:latest .`
#
# Two stages: what compiles stays behind. No key is in the image and none is made at build time: the service makes its
# keys in the volume at its first start (keys=generate), or has them mounted (keys=mounted). The root file system is
# never written to, so the image runs with --read-only; /data/.lexecon is the only place for data.
#
# BASE can be given with a digest (--build-arg BASE=debian:trixie-slim@sha256:...); a line of the form
# `FROM name@sha256:...` could not be replaced where images come from another registry.
ARG BASE=debian:trixie-slim

# ---- build ----
# hadolint ignore=DL3006
FROM ${BASE} AS build
# Versions are Debian's: a release takes only fixes, and a pinned one is gone from the mirror with the next.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
        cmake gcc libc6-dev libcurl4-openssl-dev libmicrohttpd-dev librdkafka-dev libsodium-dev libsqlite3-dev libssl-dev \
        ninja-build pkg-config python3 && \
    rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt LICENSE ./
COPY core core
COPY producer producer
COPY consumer consumer
COPY cli cli
COPY schemas schemas
COPY tools tools
COPY deployment/packaging deployment/packaging
COPY deployment/systemd deployment/systemd
COPY policies policies
RUN cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLEX_TESTS=OFF && \
    cmake --build /build --target lexecon lexecon-consumer
# Of what `cmake --install` puts in place a container needs these alone: no unit, no pages, no completions.
RUN install -D -s -t /out/usr/bin /build/bin/lexecon /build/bin/lexecon-consumer && \
    mkdir -p /out/usr/share/lexecon/schemas && \
    cp -r policies /out/usr/share/lexecon/ && \
    find schemas -maxdepth 1 -type f ! -name '*.py' ! -name '*.h' ! -name CMakeLists.txt -exec cp -t /out/usr/share/lexecon/schemas {} +

# ---- run ----
# hadolint ignore=DL3006
FROM ${BASE}
# curl is for the health check, and for `kubectl exec ... curl localhost:8000/health`. SASL/PLAIN, SCRAM and OAUTHBEARER
# are librdkafka's own; Kerberos alone needs more (docs/deployment/docker.md). What could raise rights loses its bit.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates curl libcurl4t64 libmicrohttpd12t64 librdkafka1 libsodium23 libsqlite3-0 libssl3t64 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/aux-cache /var/cache/debconf/*-old \
        /var/log/apt /var/log/dpkg.log /var/log/alternatives.log && \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} + && \
    groupadd --gid 1000 lexecon && \
    useradd --uid 1000 --gid 1000 --home-dir /data --no-create-home --shell /usr/sbin/nologin lexecon && \
    install -d -o 1000 -g 1000 -m 0750 /data/.lexecon
COPY --from=build /out/ /

# Numbers, so that Kubernetes can see that it is not root.
USER 1000:1000
WORKDIR /data
VOLUME /data/.lexecon
EXPOSE 8000
STOPSIGNAL SIGTERM

# Alive, not ready: a broker that is away makes the service unready, and a restart would not bring it back.
# In shell form, for the port.
# hadolint ignore=DL3025
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD curl -fsS --max-time 2 -o /dev/null "http://127.0.0.1:${LEXECON_HTTP_PORT:-8000}/health/live"

# Exec form: the service is process 1 and gets the signals itself.
ENTRYPOINT ["lexecon-consumer"]

# Last, so that another revision changes no layer.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="lexecon" \
      org.opencontainers.image.description="Decision service for AI agents: policy, signed verdicts and a verifiable ledger, on Kafka" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="debian:trixie-slim" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"

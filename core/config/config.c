#include "core/config/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/host.h"
#include "core/base/json.h"
#include "core/base/text.h"
#include "core/config/options.h"

static const char variable_prefix[] = "LEXECON_";
static const char kafka_prefix[] = "LEXECON_KAFKA_";

enum {
    PLACE_MAX = 512,
    KAFKA_KEY_MAX = 128,
    ARENA_CHUNK_BYTES = 16 << 10,
    ARENA_MAX_BYTES = 32 << 20,
    EMBEDDED_WORKERS = 1,
    WORKERS_DEFAULT_MAX = 4,
    MEMORY_DEFAULT_MIB = 512,
    MEMORY_LEAST_MIB = 64,
};

/* The struct and what its strings live in, freed together. */
struct loaded {
    struct lex_config config;
    struct lex_arena arena;
};

static struct lex_arena *arena_of(struct lex_config *config)
{
    return &((struct loaded *)config)->arena;
}

/* ---- kafka.* ---- */

static const struct {
    const char *key, *why;
} refused[] = {
    {"group.id", "set the option `group`"},
    {"transactional.id", "it is made of group, node_id and instance, which fence each other"},
    {"isolation.level", "only read_committed keeps aborted verdicts out"},
    {"acks", "an entry that one broker could lose is no ledger entry"},
    {"enable.idempotence", "transactions need it"},
    {"enable.auto.commit", "offsets are committed with the verdicts, or not at all"},
    {"enable.auto.offset.store", "offsets are committed with the verdicts, or not at all"},
    {"auto.offset.reset",
     "where a partition begins is recovered from its ledger; see `start_offset`"},
    {"enable.partition.eof", "the readers of the ledger depend on it"},
    {"partition.assignment.strategy", "set the option `assignor`"},
    {"session.timeout.ms", "set the option `session_timeout_ms`"},
    {"transaction.timeout.ms", "set the option `transaction_timeout_ms`"},
    {"group.instance.id", "it is made of node_id and instance; see `static_membership`"},
    {"group.protocol", "only the classic protocol recovers in time"},
};

bool lex_config_kafka_secret(const char *key)
{
    static const char *const parts[] = {"password", "secret", "key.pem",
                                        "token",    "jaas",   "oauthbearer.config"};
    for (size_t i = 0; i < LEX_COUNT_OF(parts); i++)
        if (strstr(key, parts[i]) != NULL && strstr(key, "endpoint") == NULL)
            return true;
    return false;
}

const char *lex_config_kafka_get(const struct lex_config *config, const char *key)
{
    for (size_t i = 0; i < config->kafka_count; i++)
        if (strcmp(config->kafka[i].key, key) == 0)
            return config->kafka[i].value;
    return NULL;
}

static LEX_STATUS check_kafka_key(struct lex_span key, const char *place, struct lex_error *err)
{
    bool good = key.len >= 1 && key.len <= KAFKA_KEY_MAX;
    for (size_t i = 0; i < key.len && good; i++)
        good = islower(key.data[i]) || isdigit(key.data[i]) || strchr("._-", key.data[i]) != NULL;
    if (!good)
        return lex_fail(err, LEX_REJECT,
                        "%s: expected the name of a librdkafka setting, such as bootstrap.servers",
                        place);
    for (size_t i = 0; i < LEX_COUNT_OF(refused); i++)
        if (lex_span_eq(key, lex_span_str(refused[i].key)))
            return lex_fail(err, LEX_REJECT, "%s: %s is not yours to set: %s", place,
                            refused[i].key, refused[i].why);
    return LEX_OK;
}

/* Add, or replace what a weaker source said. */
static LEX_STATUS set_kafka(struct lex_config *config, struct lex_span key, struct lex_span value,
                            enum lex_config_source source, const char *place, struct lex_error *err)
{
    LEX_TRY(check_kafka_key(key, place, err));
    size_t at = 0;
    while (at < config->kafka_count && !lex_span_eq(key, lex_span_str(config->kafka[at].key)))
        at++;
    if (at == LEX_CONFIG_KAFKA_MAX)
        return lex_fail(err, LEX_LIMIT, "%s: more than %d kafka settings", place,
                        LEX_CONFIG_KAFKA_MAX);
    struct lex_span key_copy = lex_arena_printf(arena_of(config), "%.*s", LEX_SPAN_FMT(key));
    struct lex_span value_copy = lex_arena_printf(arena_of(config), "%.*s", LEX_SPAN_FMT(value));
    if (lex_span_absent(key_copy) || lex_span_absent(value_copy))
        return lex_fail(err, LEX_LIMIT, "%s: out of memory", place);
    config->kafka[at] = (struct lex_config_kafka){.key = (const char *)key_copy.data,
                                                  .value = (const char *)value_copy.data,
                                                  .source = source};
    config->kafka_count += at == config->kafka_count;
    return LEX_OK;
}

LEX_STATUS lex_config_use_bootstrap(struct lex_config *config, const char *servers,
                                    struct lex_error *err)
{
    return set_kafka(config, LEX_SPAN("bootstrap.servers"), lex_span_str(servers),
                     LEX_SOURCE_DEFAULT, "embedded broker", err);
}

/* ---- one setting, from anywhere ---- */

static LEX_STATUS check_length(struct lex_span value, const char *place, struct lex_error *err)
{
    if (value.len > LEX_CONFIG_VALUE_MAX_BYTES)
        return lex_fail(err, LEX_LIMIT, "%s: the value is longer than %d bytes", place,
                        LEX_CONFIG_VALUE_MAX_BYTES);
    if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL)
        return lex_fail(err, LEX_REJECT, "%s: the value contains a NUL character", place);
    return LEX_OK;
}

LEX_STATUS lex_config_use_kafka(struct lex_config *config, const char *setting, const char *place,
                                struct lex_error *err)
{
    const char *equals = strchr(setting, '=');
    if (equals == NULL || equals[1] == '\0')
        return lex_fail(err, LEX_REJECT,
                        "%s: expected KEY=VALUE, such as security.protocol=sasl_ssl, got '%.100s'",
                        place, setting);
    struct lex_span value = lex_span_str(equals + 1);
    LEX_TRY(check_length(value, place, err));
    return set_kafka(config, lex_span_of(setting, (size_t)(equals - setting)), value,
                     LEX_SOURCE_FLAG, place, err);
}

static LEX_STATUS set_option(struct lex_config *config, const struct lex_option *option,
                             struct lex_span value, enum lex_config_source source,
                             const char *place, struct lex_error *err)
{
    LEX_TRY(lex_option_set(config, arena_of(config), option, value, place, err));
    config->sources[option - lex_options] = source;
    return LEX_OK;
}

static LEX_STATUS unknown_option(struct lex_span name, enum lex_option_spelling spelling,
                                 const char *place, const char *what, struct lex_error *err)
{
    const char *nearest = lex_option_nearest(name);
    if (nearest == NULL)
        return lex_fail(err, LEX_REJECT, "%s: unknown %s; --help lists all options", place, what);
    char spelled[LEX_OPTION_NAME_MAX];
    lex_option_spell(nearest, spelling, spelled);
    return lex_fail(err, LEX_REJECT, "%s: unknown %s; did you mean %s?", place, what, spelled);
}

/* ---- the file ---- */

struct file {
    const char *path;
    struct lex_span text;
};

static void place_in(const struct file *file, size_t at, const char *prefix, struct lex_span key,
                     char out[PLACE_MAX])
{
    unsigned line, column;
    lex_json_where(file->text, at, &line, &column);
    LEX_CLEANUP(lex_buf_fini) struct lex_buf quoted;
    lex_buf_init(&quoted, 512);
    lex_buf_put_json(&quoted, lex_span_of(key.data, key.len < 64 ? key.len : 64));
    (void)snprintf(out, PLACE_MAX, "%.300s:%u:%u: %s%s", file->path, line, column, prefix,
                   lex_buf_str(&quoted));
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static LEX_STATUS read_file(struct lex_config *config, struct file *file, struct lex_error *err)
{
    LEX_CLEANUP(close_fd) int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return lex_fail(err, LEX_REJECT, "--config %s: cannot open the file: %s", file->path,
                        strerror(errno));
    uint8_t *data = lex_arena_alloc(arena_of(config), LEX_CONFIG_FILE_MAX_BYTES + 1);
    if (data == NULL)
        return lex_fail(err, LEX_LIMIT, "--config %s: out of memory", file->path);
    size_t len = 0;
    for (;;) {
        ssize_t n = read(fd, data + len, LEX_CONFIG_FILE_MAX_BYTES + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return lex_fail(err, LEX_REJECT, "--config %s: cannot read the file: %s", file->path,
                            strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > LEX_CONFIG_FILE_MAX_BYTES)
            return lex_fail(err, LEX_LIMIT, "--config %s: the file is longer than %d bytes",
                            file->path, LEX_CONFIG_FILE_MAX_BYTES);
    }
    file->text = lex_span_of(data, len);
    return LEX_OK;
}

/* The text of a string, number or boolean; absent for other values. */
static struct lex_span scalar_text(const struct lex_json *node)
{
    switch (node->type) {
    case LEX_JSON_STRING:
    case LEX_JSON_NUMBER: return node->text;
    case LEX_JSON_BOOL: return node->boolean ? LEX_SPAN("true") : LEX_SPAN("false");
    default: return lex_span_of(NULL, 0);
    }
}

static LEX_STATUS kafka_member(struct lex_config *config, const struct file *file,
                               const char *prefix, struct lex_span key, const struct lex_json *node,
                               struct lex_error *err)
{
    char place[PLACE_MAX];
    place_in(file, node->key_at, prefix, key, place);
    struct lex_span value = scalar_text(node);
    if (lex_span_absent(value))
        return lex_fail(err, LEX_REJECT, "%s: expected a string, number or boolean, got %s", place,
                        lex_json_type_name(node->type));
    LEX_TRY(check_length(value, place, err));
    return set_kafka(config, key, value, LEX_SOURCE_FILE, place, err);
}

static LEX_STATUS kafka_object(struct lex_config *config, const struct file *file,
                               const struct lex_json *object, struct lex_error *err)
{
    char place[PLACE_MAX];
    place_in(file, object->at, "", LEX_SPAN("kafka"), place);
    if (!lex_json_is(object, LEX_JSON_OBJECT))
        return lex_fail(err, LEX_REJECT, "%s: expected an object of librdkafka settings, got %s",
                        place, lex_json_type_name(object->type));
    for (const struct lex_json *node = object->child; node != NULL; node = node->next)
        LEX_TRY(kafka_member(config, file, "kafka: ", node->key, node, err));
    return LEX_OK;
}

static enum lex_json_type type_of(const struct lex_option *option)
{
    switch (option->kind) {
    case LEX_KIND_INT: return LEX_JSON_NUMBER;
    case LEX_KIND_BOOL: return LEX_JSON_BOOL;
    default: return LEX_JSON_STRING;
    }
}

static LEX_STATUS file_member(struct lex_config *config, const struct file *file,
                              const struct lex_json *node, struct lex_error *err)
{
    static const char dotted[] = "kafka.";
    struct lex_span key = node->key;
    if (lex_span_eq(key, LEX_SPAN("kafka")))
        return kafka_object(config, file, node, err);
    if (key.len > strlen(dotted) && memcmp(key.data, dotted, strlen(dotted)) == 0)
        return kafka_member(config, file, dotted,
                            lex_span_of(key.data + strlen(dotted), key.len - strlen(dotted)), node,
                            err);
    char place[PLACE_MAX];
    place_in(file, node->key_at, "", key, place);
    const struct lex_option *option = lex_option_find(key);
    if (option == NULL)
        return unknown_option(key, LEX_SPELL_KEY, place, "key", err);
    if (!lex_json_is(node, type_of(option)))
        return lex_fail(err, LEX_REJECT, "%s: expected %s, got %s", place,
                        lex_json_type_name(type_of(option)), lex_json_type_name(node->type));
    struct lex_span value = scalar_text(node);
    LEX_TRY(check_length(value, place, err));
    return set_option(config, option, value, LEX_SOURCE_FILE, place, err);
}

static LEX_STATUS load_file(struct lex_config *config, struct lex_error *err)
{
    struct file file = {.path = config->file};
    LEX_TRY(read_file(config, &file, err));
    const struct lex_json *root;
    struct lex_error problem = {.text = ""};
    enum lex_status status = lex_json_parse(arena_of(config), file.text, &root, &problem);
    if (status != LEX_OK)
        return lex_fail(err, status, "--config %s: %s", file.path, problem.text);
    if (!lex_json_is(root, LEX_JSON_OBJECT))
        return lex_fail(err, LEX_REJECT, "--config %s: expected an object, got %s", file.path,
                        lex_json_type_name(root->type));
    for (const struct lex_json *node = root->child; node != NULL; node = node->next)
        LEX_TRY(file_member(config, &file, node, err));
    return LEX_OK;
}

/* ---- the environment ---- */

static bool ends_with(struct lex_span text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.data + text.len - len, end, len) == 0;
}

static bool contains(struct lex_span text, const char *part)
{
    return memmem(text.data, text.len, part, strlen(part)) != NULL;
}

/* Kubernetes sets such variables for every Service of the namespace, and for one named `lexecon` or
 * `lexecon-kafka` they begin as ours do: LEXECON_SERVICE_HOST, LEXECON_PORT=tcp://...,
 * LEXECON_PORT_80_TCP_ADDR (Kubernetes documentation, "Discovering services"). They are no misspelt
 * options, and must not keep the service from starting. */
static bool is_service_link(struct lex_span name, const char *value)
{
    bool link = strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0 ||
                strncmp(value, "sctp://", 7) == 0;
    if (ends_with(name, "_SERVICE_HOST") || contains(name, "_SERVICE_PORT"))
        return true;
    if (ends_with(name, "_PORT"))
        return link;
    return contains(name, "_PORT_") &&
           (ends_with(name, "_TCP") || ends_with(name, "_UDP") || ends_with(name, "_SCTP") ||
            ends_with(name, "_PROTO") || ends_with(name, "_ADDR"));
}

/* LEXECON_KAFKA_SASL_USERNAME -> sasl.username */
static LEX_STATUS kafka_variable(struct lex_config *config, const char *place, struct lex_span name,
                                 struct lex_span value, struct lex_error *err)
{
    char key[KAFKA_KEY_MAX + 1];
    if (name.len > KAFKA_KEY_MAX)
        return lex_fail(err, LEX_REJECT, "%s: the name is longer than %d characters", place,
                        KAFKA_KEY_MAX);
    for (size_t i = 0; i < name.len; i++)
        key[i] = name.data[i] == '_' ? '.' : (char)tolower(name.data[i]);
    return set_kafka(config, lex_span_of(key, name.len), value, LEX_SOURCE_ENVIRONMENT, place, err);
}

static LEX_STATUS variable(struct lex_config *config, const char *entry, struct lex_error *err)
{
    const char *equals = strchr(entry, '=');
    if (equals == NULL || strncmp(entry, variable_prefix, strlen(variable_prefix)) != 0)
        return LEX_OK;
    char place[PLACE_MAX];
    (void)snprintf(place, sizeof place, "%.*s", (int)(equals - entry < 256 ? equals - entry : 256),
                   entry);
    const char *name = entry + strlen(variable_prefix);
    struct lex_span name_span = lex_span_of(name, (size_t)(equals - name));
    struct lex_span value = lex_span_str(equals + 1);
    char lower[LEX_OPTION_NAME_MAX];
    size_t len = name_span.len < sizeof lower ? name_span.len : sizeof lower;
    for (size_t i = 0; i < len; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    const struct lex_option *option = lex_option_find(lex_span_of(lower, len));
    if (lex_span_eq(name_span, LEX_SPAN("CONFIG")))
        return LEX_OK;
    if (option == NULL && is_service_link(lex_span_of(entry, (size_t)(equals - entry)), equals + 1))
        return LEX_OK;
    if (value.len == 0) /* how compose files and charts write "not set" */
        return LEX_OK;
    LEX_TRY(check_length(value, place, err));
    if (option != NULL)
        return set_option(config, option, value, LEX_SOURCE_ENVIRONMENT, place, err);
    size_t skip = strlen(kafka_prefix) - strlen(variable_prefix);
    if (strncmp(entry, kafka_prefix, strlen(kafka_prefix)) == 0)
        return kafka_variable(config, place, lex_span_of(name + skip, name_span.len - skip), value,
                              err);
    return unknown_option(lex_span_of(lower, len), LEX_SPELL_VARIABLE, place, "variable", err);
}

static const char *config_variable(char *const *environment)
{
    static const char name[] = "LEXECON_CONFIG=";
    for (; *environment != NULL; environment++)
        if (strncmp(*environment, name, strlen(name)) == 0 && (*environment)[strlen(name)] != '\0')
            return *environment + strlen(name);
    return NULL;
}

/* ---- flags ---- */

struct flag {
    const struct lex_option *option; /* NULL for --config and the actions */
    struct lex_span name;            /* without dashes in front */
    const char *value;               /* behind '=' or in the next word; NULL for none */
    int words;
};

static const struct {
    const char *name;
    enum lex_config_action action;
} actions[] = {{"help", LEX_CONFIG_HELP},
               {"version", LEX_CONFIG_VERSION},
               {"print-config", LEX_CONFIG_PRINT},
               {"check-config", LEX_CONFIG_CHECK}};

static const struct lex_option *flag_option(struct lex_span name)
{
    char key[LEX_OPTION_NAME_MAX];
    if (name.len > sizeof key || memchr(name.data, '_', name.len) != NULL)
        return NULL;
    for (size_t i = 0; i < name.len; i++)
        key[i] = name.data[i] == '-' ? '_' : (char)name.data[i];
    return lex_option_find(lex_span_of(key, name.len));
}

static bool is_action(struct lex_span name, enum lex_config_action *ret_action)
{
    for (size_t i = 0; i < LEX_COUNT_OF(actions); i++) {
        if (lex_span_eq(name, lex_span_str(actions[i].name))) {
            *ret_action = actions[i].action;
            return true;
        }
    }
    return false;
}

static LEX_STATUS unknown_flag(struct lex_span name, const char *word, struct lex_error *err)
{
    char place[PLACE_MAX], key[LEX_OPTION_NAME_MAX];
    (void)snprintf(place, sizeof place, "%.200s", word);
    size_t len = name.len < sizeof key ? name.len : sizeof key;
    for (size_t i = 0; i < len; i++)
        key[i] = name.data[i] == '-' ? '_' : (char)name.data[i];
    return unknown_option(lex_span_of(key, len), LEX_SPELL_FLAG, place, "flag", err);
}

/* One flag at argv[0], with its value. */
static LEX_STATUS read_flag(int argc, char *const *argv, struct flag *ret_flag,
                            struct lex_error *err)
{
    const char *word = argv[0];
    enum lex_config_action action;
    if (strncmp(word, "--", 2) != 0 || word[2] == '\0')
        return lex_fail(err, LEX_REJECT, "%.200s: expected a flag; --help lists them", word);
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    struct flag flag = {.words = 1, .value = equals != NULL ? equals + 1 : NULL};
    flag.name = lex_span_of(name, equals != NULL ? (size_t)(equals - name) : strlen(name));
    flag.option = flag_option(flag.name);
    bool config = lex_span_eq(flag.name, LEX_SPAN("config"));
    if (flag.option == NULL && !config && !is_action(flag.name, &action))
        return unknown_flag(flag.name, word, err);
    bool needs_value = config || (flag.option != NULL && flag.option->kind != LEX_KIND_BOOL);
    if (needs_value && flag.value == NULL && argc > 1) {
        flag.value = argv[1];
        flag.words = 2;
    }
    if (needs_value && flag.value == NULL)
        return lex_fail(err, LEX_REJECT, "%.200s: a value is missing: --%.*s VALUE", word,
                        LEX_SPAN_FMT(flag.name));
    *ret_flag = flag;
    return LEX_OK;
}

/* First look, before anything else is read: is there something to print, and which file is it? */
static LEX_STATUS scan_flags(struct lex_config *config, int argc, char *const *argv,
                             struct lex_error *err)
{
    for (int i = 1; i < argc;) {
        struct flag flag;
        LEX_TRY(read_flag(argc - i, argv + i, &flag, err));
        enum lex_config_action action;
        if (flag.option == NULL && is_action(flag.name, &action)) {
            if (config->action == LEX_CONFIG_RUN || action <= LEX_CONFIG_VERSION)
                config->action = action;
        } else if (flag.option == NULL) {
            config->file = flag.value;
        }
        i += flag.words;
    }
    return LEX_OK;
}

static LEX_STATUS load_flags(struct lex_config *config, int argc, char *const *argv,
                             struct lex_error *err)
{
    for (int i = 1; i < argc;) {
        struct flag flag;
        LEX_TRY(read_flag(argc - i, argv + i, &flag, err));
        i += flag.words;
        if (flag.option == NULL)
            continue;
        char place[LEX_OPTION_NAME_MAX];
        lex_option_spell(flag.option->name, LEX_SPELL_FLAG, place);
        struct lex_span value = lex_span_str(flag.value != NULL ? flag.value : "true");
        LEX_TRY(check_length(value, place, err));
        LEX_TRY(set_option(config, flag.option, value, LEX_SOURCE_FLAG, place, err));
    }
    return LEX_OK;
}

/* ---- what depends on the machine and on other options ---- */

static LEX_STATUS default_path(struct lex_config *config, const char **field, const char *name,
                               struct lex_error *err)
{
    if (*field != NULL)
        return LEX_OK;
    struct lex_span path = lex_arena_printf(arena_of(config), "%s/%s", config->data_dir, name);
    if (lex_span_absent(path))
        return lex_fail(err, LEX_LIMIT, "out of memory");
    *field = (const char *)path.data;
    return LEX_OK;
}

static LEX_STATUS resolve_names(struct lex_config *config, struct lex_error *err)
{
    char host[LEX_HOST_NAME_MAX];
    lex_host_name(host);
    static const enum lex_option_id ids[] = {LEX_OPTION_node_id, LEX_OPTION_instance};
    for (size_t i = 0; i < LEX_COUNT_OF(ids); i++)
        if (config->sources[ids[i]] == LEX_SOURCE_DEFAULT)
            LEX_TRY(lex_option_set(config, arena_of(config), &lex_options[ids[i]],
                                   lex_span_str(host), "the host's name", err));
    config->static_member = config->static_membership == LEX_STATIC_ON ||
                            (config->static_membership == LEX_STATIC_AUTO &&
                             config->sources[LEX_OPTION_instance] != LEX_SOURCE_DEFAULT);
    if (config->token_issuer == NULL)
        config->token_issuer = config->origin_prefix;
    LEX_TRY(default_path(config, &config->keys_dir, "keys", err));
    return default_path(config, &config->mirror_path, "mirror.db", err);
}

static void resolve_sizes(struct lex_config *config)
{
    if (config->server_workers == 0) {
        int64_t cores = lex_host_cores();
        config->server_workers = config->embedded              ? EMBEDDED_WORKERS
                                 : cores < WORKERS_DEFAULT_MAX ? cores
                                                               : WORKERS_DEFAULT_MAX;
    }
    if (config->memory_budget_mb == 0) {
        uint64_t limit = lex_host_memory_limit();
        uint64_t mib = limit == UINT64_MAX ? MEMORY_DEFAULT_MIB : limit >> 20;
        mib = mib * 6 / 10;
        config->memory_budget_mb = mib < MEMORY_LEAST_MIB ? MEMORY_LEAST_MIB : (int64_t)mib;
    }
    if (config->sources[LEX_OPTION_log_format] == LEX_SOURCE_DEFAULT)
        config->log_format = isatty(STDOUT_FILENO) ? LEX_LOG_TEXT : LEX_LOG_JSON;
    if (config->sources[LEX_OPTION_create_topics] == LEX_SOURCE_DEFAULT)
        config->create_topics = config->embedded;
    if (config->role == LEX_ROLE_AUDIT &&
        config->sources[LEX_OPTION_mirror_scope] == LEX_SOURCE_DEFAULT)
        config->mirror_scope = LEX_MIRROR_SCOPE_ALL;
}

static LEX_STATUS resolve_requirements(struct lex_config *config)
{
    if (config->ledger_requirements == NULL)
        config->ledger_requirements =
            config->embedded ? "off" : "retention_days=180,replication=3,min_isr=2";
    return lex_option_requirements(lex_span_str(config->ledger_requirements),
                                   &config->ledger_required);
}

const char *lex_config_policy_topic(const struct lex_config *config)
{
    static const char prefix[] = "topic:";
    if (config->policy == NULL || strncmp(config->policy, prefix, sizeof prefix - 1) != 0)
        return NULL;
    return config->policy + sizeof prefix - 1;
}

static LEX_STATUS check_policy(const struct lex_config *config, struct lex_error *err)
{
    const char *id = lex_config_policy_topic(config);
    if (id == NULL)
        return LEX_OK;
    if (id[0] == '\0')
        return lex_fail(err, LEX_REJECT,
                        "policy is 'topic:' without an id; expected topic:<policy_id>");
    if (config->policy_key != NULL)
        return LEX_OK;
    return lex_fail(
        err, LEX_REJECT,
        "policy is topic:%.200s, but policy_key is not set, and without it no published "
        "policy counts; set policy_key to the public key of those who publish",
        id);
}

/* An audit node watches. What would make it decide, write, or overlook something is refused rather
 * than ignored, since whoever set it expects something that does not happen. */
static LEX_STATUS check_audit(const struct lex_config *config, struct lex_error *err)
{
    if (config->role != LEX_ROLE_AUDIT)
        return LEX_OK;
    if (config->embedded)
        return lex_fail(
            err, LEX_REJECT,
            "role is audit, but embedded starts a broker on which nobody decides; leave "
            "embedded away, and name the brokers in kafka.bootstrap.servers");
    if (config->mirror_scope != LEX_MIRROR_SCOPE_ALL)
        return lex_fail(
            err, LEX_REJECT,
            "role is audit, but mirror_scope is %s, and an audit node owns no partition "
            "and does nothing but mirror; leave mirror_scope away, or set it to all",
            lex_config_word("lex_config_mirror_scope", (int)config->mirror_scope));
    if (config->create_topics)
        return lex_fail(
            err, LEX_REJECT,
            "role is audit, but create_topics is true, and an audit node writes nothing "
            "to Kafka; leave create_topics to the nodes that decide");
    return LEX_OK;
}

/* What only a node that decides has a use for. */
static const enum lex_option_id deciding[] = {
    LEX_OPTION_policy,
    LEX_OPTION_policy_mode,
    LEX_OPTION_policy_wait_ms,
    LEX_OPTION_policy_allow_rollback,
    LEX_OPTION_policy_poll_ms,
    LEX_OPTION_default_ttl,
    LEX_OPTION_max_ttl,
    LEX_OPTION_cache_evaluations,
    LEX_OPTION_identity,
    LEX_OPTION_key_check,
    LEX_OPTION_issuers,
    LEX_OPTION_policy_key,
    LEX_OPTION_token_format,
    LEX_OPTION_token_alg,
    LEX_OPTION_token_issuer,
    LEX_OPTION_token_audience,
    LEX_OPTION_start_offset,
    LEX_OPTION_request_max_bytes,
    LEX_OPTION_schema_dir,
    LEX_OPTION_verdict_format,
    LEX_OPTION_ledger_content,
    LEX_OPTION_dead_letter_content,
    LEX_OPTION_dead_letter_max_bytes,
    LEX_OPTION_schema_registry_url,
    LEX_OPTION_schema_registry_auth_file,
    LEX_OPTION_schema_registry_ca_file,
    LEX_OPTION_schema_registry_unknown_ms,
    LEX_OPTION_keys,
    LEX_OPTION_keys_dir,
    LEX_OPTION_server_workers,
    LEX_OPTION_commit_interval_ms,
    LEX_OPTION_commit_max_records,
    LEX_OPTION_batch_max_records,
    LEX_OPTION_sign_batch_max,
    LEX_OPTION_static_membership,
    LEX_OPTION_assignor,
    LEX_OPTION_session_timeout_ms,
    LEX_OPTION_transaction_timeout_ms,
    LEX_OPTION_log_decisions_per_second,
};

void lex_config_without_effect(const struct lex_config *config, struct lex_buf *out)
{
    const char *separator = "";
    for (size_t i = 0; config->role == LEX_ROLE_AUDIT && i < LEX_COUNT_OF(deciding); i++) {
        if (config->sources[deciding[i]] == LEX_SOURCE_DEFAULT)
            continue;
        lex_buf_printf(out, "%s%s", separator, lex_options[deciding[i]].name);
        separator = ", ";
    }
}

/* What is right by itself and wrong together. */
static LEX_STATUS check_together(const struct lex_config *config, struct lex_error *err)
{
    if (config->default_ttl > config->max_ttl)
        return lex_fail(err, LEX_REJECT,
                        "default_ttl (%lld s) is longer than max_ttl (%lld s); lower the one or "
                        "raise the other",
                        (long long)config->default_ttl, (long long)config->max_ttl);
    if (config->identity == LEX_IDENTITY_ATTESTED && config->issuers == NULL)
        return lex_fail(err, LEX_REJECT,
                        "identity is attested, but issuers is not set, so every request would be "
                        "denied UNKNOWN_ACTOR; set issuers to the path of issuers.json");
    if (config->embedded && config->server_workers > EMBEDDED_WORKERS)
        return lex_fail(err, LEX_REJECT,
                        "server_workers is %lld, but the embedded broker serves one worker; leave "
                        "server_workers away",
                        (long long)config->server_workers);
    if (config->commit_interval_ms * 2 > config->transaction_timeout_ms)
        return lex_fail(err, LEX_REJECT,
                        "commit_interval_ms (%lld) must be at most half of transaction_timeout_ms "
                        "(%lld), or the broker aborts transactions in their work",
                        (long long)config->commit_interval_ms,
                        (long long)config->transaction_timeout_ms);
    LEX_TRY(check_policy(config, err));
    LEX_TRY(check_audit(config, err));
    const char *topics[] = {config->requests_topic,     config->verdicts_topic,
                            config->ledger_topic,       config->checkpoints_topic,
                            config->dead_letters_topic, config->policies_topic};
    for (size_t i = 0; i < LEX_COUNT_OF(topics); i++)
        for (size_t j = i + 1; j < LEX_COUNT_OF(topics); j++)
            if (strcmp(topics[i], topics[j]) == 0)
                return lex_fail(err, LEX_REJECT,
                                "two of the six topic options name the topic '%s'; each needs one "
                                "of its own",
                                topics[i]);
    return LEX_OK;
}

static LEX_STATUS load(struct lex_config *config, int argc, char *const *argv,
                       char *const *environment, struct lex_error *err)
{
    config->file = config_variable(environment);
    for (size_t i = 0; i < LEX_OPTION_COUNT; i++)
        lex_option_set_default(config, &lex_options[i]);
    LEX_TRY(scan_flags(config, argc, argv, err));
    if (config->action == LEX_CONFIG_HELP || config->action == LEX_CONFIG_VERSION)
        return LEX_OK;
    if (config->file != NULL)
        LEX_TRY(load_file(config, err));
    LEX_TRY(lex_otel_load(environment, arena_of(config), &config->otel, err));
    for (; *environment != NULL; environment++)
        LEX_TRY(variable(config, *environment, err));
    LEX_TRY(load_flags(config, argc, argv, err));
    LEX_TRY(resolve_names(config, err));
    resolve_sizes(config);
    LEX_TRY(resolve_requirements(config));
    return check_together(config, err);
}

LEX_STATUS lex_config_load(int argc, char *const *argv, char *const *environment,
                           struct lex_config **ret_config, struct lex_error *err)
{
    struct loaded *loaded = calloc(1, sizeof *loaded);
    if (loaded == NULL)
        return lex_fail(err, LEX_LIMIT, "out of memory");
    lex_arena_init(&loaded->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    enum lex_status status = load(&loaded->config, argc, argv, environment, err);
    if (status != LEX_OK) {
        lex_config_free(&loaded->config);
        return status;
    }
    *ret_config = &loaded->config;
    return LEX_OK;
}

void lex_config_free(struct lex_config *config)
{
    if (config == NULL)
        return;
    struct loaded *loaded = (struct loaded *)config;
    lex_arena_fini(&loaded->arena);
    free(loaded);
}

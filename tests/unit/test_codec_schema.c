/* Codec, writers' schemas: names, canonical form and fingerprint as the Avro project publishes
 * them, and each malformed schema refused with its place. */
#include <inttypes.h>

#include "core/codec/schema.h"
#include "schemas/tables.h"
#include "tests/unit/lex_check.h"

static struct lex_arena arena;
static struct lex_error err;

static void setup(void)
{
    lex_arena_init(&arena, 1 << 16, 64 << 20);
}

static void teardown(void)
{
    lex_arena_fini(&arena);
}

static const struct lex_schema *parse(struct lex_span text)
{
    const struct lex_schema *schema = NULL;
    enum lex_status status = lex_schema_parse(text, &arena, &schema, &err);
    ck_assert_msg(status == LEX_OK, "%.*s: %s", LEX_SPAN_FMT(text), err.text);
    return schema;
}

static void check_canonical(const struct lex_schema *schema, struct lex_span want)
{
    struct lex_buf buf;
    lex_buf_init(&buf, 1 << 20);
    lex_schema_canonical(schema, &buf);
    ck_assert_msg(lex_span_eq(lex_buf_span(&buf), want), "%s", lex_buf_str(&buf));
    lex_buf_fini(&buf);
}

/* Fingerprints: the values of share/test/data/schema-tests.txt of the Avro project, which its
 * implementations are checked with, for schemas of the same canonical form. */
static const struct {
    const char *schema, *canonical;
    int64_t fingerprint;
} published[] = {
    {"\"null\"", "\"null\"", 7195948357588979594},
    {"{\"type\": \"boolean\"}", "\"boolean\"", -6970731678124411036},
    {" \"int\" ", "\"int\"", 8247732601305521295},
    {"{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}", "\"long\"", -3434872931120570953},
    {"\"float\"", "\"float\"", 5583340709985441680},
    {"\"double\"", "\"double\"", -8181574048448539266},
    {"\"bytes\"", "\"bytes\"", 5746618253357095269},
    {"{\"type\":{\"type\":\"string\"}}", "\"string\"", -8142146995180207161},
    {"[\"int\"]", "[\"int\"]", -5232228896498058493},
    {"[ {\"type\":\"int\"} , \"boolean\" ]", "[\"int\",\"boolean\"]", 5392556393470105090},
    {"{\"name\":\"foo\",\"fields\":[],\"type\":\"record\",\"aliases\":[\"bar\"],\"doc\":\"d\"}",
     "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[]}", -4824392279771201922},
    {"{\"namespace\":\"x.y\",\"type\":\"record\",\"name\":\"foo\",\"fields\":[]}",
     "{\"name\":\"x.y.foo\",\"type\":\"record\",\"fields\":[]}", 5916914534497305771},
    {"{\"namespace\":\"x.y\",\"type\":\"record\",\"name\":\"a.b.foo\",\"fields\":[]}",
     "{\"name\":\"a.b.foo\",\"type\":\"record\",\"fields\":[]}", -4616218487480524110},
    {"{\"type\":\"record\",\"name\":\"foo\",\"fields\":[{\"default\":true,\"name\":\"f1\","
     "\"type\":\"boolean\"}]}",
     "{\"name\":\"foo\",\"type\":\"record\",\"fields\":[{\"name\":\"f1\",\"type\":\"boolean\"}]}",
     7843277075252814651},
    {"{\"type\":\"enum\",\"symbols\":[\"A1\"],\"name\":\"foo\"}",
     "{\"name\":\"foo\",\"type\":\"enum\",\"symbols\":[\"A1\"]}", -6342190197741309591},
    {"{\"name\":\"x.y.z.foo\",\"type\":\"enum\",\"symbols\":[\"A1\",\"A2\"],\"default\":\"A1\"}",
     "{\"name\":\"x.y.z.foo\",\"type\":\"enum\",\"symbols\":[\"A1\",\"A2\"]}",
     -4448647247586288245},
    {"{\"size\":15,\"name\":\"foo\",\"type\":\"fixed\"}",
     "{\"name\":\"foo\",\"type\":\"fixed\",\"size\":15}", 1756455273707447556},
    {"{\"namespace\":\"x.y.z\",\"size\":32,\"name\":\"foo\",\"type\":\"fixed\"}",
     "{\"name\":\"x.y.z.foo\",\"type\":\"fixed\",\"size\":32}", -3064184465700546786},
    {"{\"items\":{\"type\":\"null\"},\"type\":\"array\"}",
     "{\"type\":\"array\",\"items\":\"null\"}", -589620603366471059},
    {"{\"values\":\"string\",\"type\":\"map\"}", "{\"type\":\"map\",\"values\":\"string\"}",
     -8732877298790414990},
    {"{\"name\":\"PigValue\",\"type\":\"record\",\"fields\":[{\"name\":\"value\","
     "\"type\":[\"null\",\"int\",\"long\",\"PigValue\"]}]}",
     "{\"name\":\"PigValue\",\"type\":\"record\",\"fields\":[{\"name\":\"value\","
     "\"type\":[\"null\",\"int\",\"long\",\"PigValue\"]}]}",
     -1759257747318642341},
};

START_TEST(canonical_form_and_fingerprint_are_those_that_avro_publishes)
{
    for (size_t i = 0; i < LEX_COUNT_OF(published); i++) {
        const struct lex_schema *schema = parse(lex_span_str(published[i].schema));
        uint64_t fingerprint = 0;
        check_canonical(schema, lex_span_str(published[i].canonical));
        ck_assert_int_eq(lex_schema_fingerprint(schema, &fingerprint), LEX_OK);
        ck_assert_msg((int64_t)fingerprint == published[i].fingerprint, "%s: %" PRId64,
                      published[i].schema, (int64_t)fingerprint);
    }
}
END_TEST

START_TEST(crc_of_nothing_is_the_empty_value)
{
    ck_assert_uint_eq(lex_crc64_avro(LEX_SPAN("")), 0xc15d213aa4d7a795u);
}
END_TEST

START_TEST(shipped_tables_carry_the_fingerprint_of_their_schema)
{
    const struct lex_record_type *const types[] = {&lex_type_request, &lex_type_ledger_entry,
                                                   &lex_type_verdict};
    for (size_t i = 0; i < LEX_COUNT_OF(types); i++) {
        const struct lex_schema *schema = parse(types[i]->schema);
        uint64_t fingerprint = 0;
        check_canonical(schema, types[i]->canonical);
        ck_assert_int_eq(lex_schema_fingerprint(schema, &fingerprint), LEX_OK);
        for (unsigned k = 0; k < 8; k++)
            ck_assert_uint_eq(types[i]->frame[2 + k], (uint8_t)(fingerprint >> (8 * k)));
        ck_assert_uint_eq(schema->min_bytes, types[i]->min_bytes);
    }
}
END_TEST

START_TEST(names_inherit_the_namespace_and_are_spelled_out_once)
{
    const struct lex_schema *schema =
        parse(LEX_SPAN("{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"n.m\",\"fields\":["
                       "{\"name\":\"a\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}},"
                       "{\"name\":\"b\",\"type\":\"F\"},{\"name\":\"c\",\"type\":\"n.m.F\"},"
                       "{\"name\":\"d\",\"type\":{\"type\":\"enum\",\"name\":\"o.E\","
                       "\"symbols\":[\"S\"]}},{\"name\":\"e\",\"type\":[\"null\",\"o.E\"]}]}"));
    check_canonical(
        schema, LEX_SPAN("{\"name\":\"n.m.R\",\"type\":\"record\",\"fields\":[{\"name\":\"a\","
                         "\"type\":{\"name\":\"n.m.F\",\"type\":\"fixed\",\"size\":2}},"
                         "{\"name\":\"b\",\"type\":\"n.m.F\"},{\"name\":\"c\",\"type\":\"n.m.F\"},"
                         "{\"name\":\"d\",\"type\":{\"name\":\"o.E\",\"type\":\"enum\","
                         "\"symbols\":[\"S\"]}},{\"name\":\"e\",\"type\":[\"null\",\"o.E\"]}]}"));
}
END_TEST

START_TEST(malformed_schemas_are_refused_with_their_place)
{
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"", "line 1 column 1"},
        {"5", "a schema is a name"},
        {"\"strin\"", "line 1 column 1: no type of this name"},
        {"[]", "a union needs a branch"},
        {"[\"int\",\"int\"]", "line 1 column 8: a union may not contain a type twice"},
        {"[[\"int\"]]", "may not contain a union"},
        {"[{\"type\":\"array\",\"items\":\"int\"},{\"type\":\"array\",\"items\":\"long\"}]",
         "twice"},
        {"{}", "needs \"type\""},
        {"{\"type\":\"array\"}", "needs \"items\""},
        {"{\"type\":\"map\"}", "needs \"values\""},
        {"{\"type\":\"record\",\"fields\":[]}", "valid \"name\""},
        {"{\"type\":\"record\",\"name\":\"9a\",\"fields\":[]}", "valid \"name\""},
        {"{\"type\":\"record\",\"name\":\"a..b\",\"fields\":[]}", "valid \"name\""},
        {"{\"type\":\"record\",\"name\":\"a\",\"namespace\":\"b.\",\"fields\":[]}", "dotted name"},
        {"{\"type\":\"record\",\"name\":\"a\"}", "\"fields\""},
        {"{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\"}]}", "needs a \"type\""},
        {"{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x.y\",\"type\":\"int\"}]}",
         "valid \"name\""},
        {"{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},"
         "{\"name\":\"x\",\"type\":\"int\"}]}",
         "stands before it"},
        {"{\"type\":\"record\",\"name\":\"a\",\"fields\":[{\"name\":\"x\",\"type\":{\"type\":"
         "\"fixed\",\"name\":\"a\",\"size\":1}}]}",
         "already defined"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[]}", "not empty"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"A\"]}", "symbol stands twice"},
        {"{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"a-b\"]}", "a symbol is a name"},
        {"{\"type\":\"fixed\",\"name\":\"f\"}", "\"size\""},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":-1}", "\"size\""},
        {"{\"type\":\"fixed\",\"name\":\"f\",\"size\":2147483648}", "\"size\""},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        const struct lex_schema *schema = NULL;
        err.text[0] = 0;
        ck_assert_msg(lex_schema_parse(lex_span_str(bad[i].text), &arena, &schema, &err) ==
                          LEX_REJECT,
                      "taken: %s", bad[i].text);
        ck_assert_msg(strstr(err.text, bad[i].message) != NULL, "%s: '%s' lacks '%s'", bad[i].text,
                      err.text, bad[i].message);
    }
}
END_TEST

START_TEST(schema_text_has_a_ceiling)
{
    const struct lex_schema *schema = NULL;
    char *text = malloc(LEX_SCHEMA_TEXT_MAX_BYTES + 1);
    memset(text, ' ', LEX_SCHEMA_TEXT_MAX_BYTES + 1);
    memcpy(text, "\"int\"", 5);
    ck_assert_int_eq(
        lex_schema_parse(lex_span_of(text, LEX_SCHEMA_TEXT_MAX_BYTES), &arena, &schema, &err),
        LEX_OK);
    ck_assert_int_eq(
        lex_schema_parse(lex_span_of(text, LEX_SCHEMA_TEXT_MAX_BYTES + 1), &arena, &schema, &err),
        LEX_LIMIT);
    free(text);
}
END_TEST

START_TEST(named_types_have_a_ceiling)
{
    for (int over = 0; over < 2; over++) {
        struct lex_buf buf;
        const struct lex_schema *schema = NULL;
        lex_buf_init(&buf, 1 << 20);
        lex_buf_puts(&buf, "[\"null\"");
        for (int i = 0; i < LEX_SCHEMA_NAMES_MAX + over; i++)
            lex_buf_printf(&buf, ",{\"type\":\"fixed\",\"name\":\"f%d\",\"size\":1}", i);
        lex_buf_puts(&buf, "]");
        enum lex_status status = lex_schema_parse(lex_buf_span(&buf), &arena, &schema, &err);
        ck_assert_int_eq(status, over ? LEX_REJECT : LEX_OK);
        lex_buf_fini(&buf);
    }
    ck_assert_ptr_nonnull(strstr(err.text, "1024"));
}
END_TEST

LEX_CHECK_MAIN_WITH("codec_schema", setup, teardown,
                    canonical_form_and_fingerprint_are_those_that_avro_publishes,
                    crc_of_nothing_is_the_empty_value,
                    shipped_tables_carry_the_fingerprint_of_their_schema,
                    names_inherit_the_namespace_and_are_spelled_out_once,
                    malformed_schemas_are_refused_with_their_place, schema_text_has_a_ceiling,
                    named_types_have_a_ceiling)

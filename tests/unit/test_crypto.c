/* Crypto: hashes and trees give the published values, keys survive their files, and an attestation
 * with any single bit altered is refused. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/crypto/crypto.h"
#include "schemas/records.h"
#include "tests/unit/lex_check.h"

#define PREFIX "example.com/test"
#define ORIGIN PREFIX "/lexecon.ledger/0"

static const uint8_t fixed_seed[32] = {1, 2, 3, 4, 5, 6, 7, 8};

static void setup(void)
{
    struct lex_error err;
    ck_assert_int_eq(lex_crypto_init(&err), LEX_OK);
}

static const char *hex(const void *bytes, size_t count)
{
    static struct lex_buf buf;
    lex_buf_fini(&buf);
    lex_buf_init(&buf, 4096);
    lex_buf_put_hex(&buf, bytes, count);
    return lex_buf_str(&buf);
}

static size_t unhex(const char *text, uint8_t *out)
{
    size_t len = strlen(text) / 2;
    ck_assert_int_eq(lex_hex_decode(lex_span_str(text), out, len), LEX_OK);
    return len;
}

static void remove_dir(const char *dir)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

/* ---- hashes ---- */

START_TEST(sha256_gives_the_published_values)
{
    setup();
    struct lex_hash hash;
    lex_sha256(NULL, 0, &hash);
    ck_assert_str_eq(hex(hash.bytes, 32),
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    /* FIPS 180-4's example, in pieces */
    lex_sha256(
        (const struct lex_span[]){LEX_SPAN_INIT("a"), LEX_SPAN_INIT(""), LEX_SPAN_INIT("bc")}, 3,
        &hash);
    ck_assert_str_eq(hex(hash.bytes, 32),
                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

/* The eight leaves and the roots over the first n of them, from the test vectors that RFC 6962's
 * authors published with their implementation. */
static const char *const ct_leaves[] = {"",
                                        "00",
                                        "10",
                                        "2021",
                                        "3031",
                                        "40414243",
                                        "5051525354555657",
                                        "606162636465666768696a6b6c6d6e6f"};
static const char *const ct_roots[] = {
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

static void ct_leaf(size_t i, struct lex_hash *ret)
{
    uint8_t bytes[16];
    size_t len = unhex(ct_leaves[i], bytes);
    lex_leaf_hash(lex_span_of(bytes, len), ret);
}

START_TEST(merkle_roots_match_the_published_vectors)
{
    setup();
    struct lex_hash leaves[8], root;
    struct lex_span_list paths[8];
    for (size_t i = 0; i < 8; i++)
        ct_leaf(i, &leaves[i]);
    for (size_t n = 1; n <= 8; n++) {
        struct lex_arena arena;
        lex_arena_init(&arena, 4096, 1 << 20);
        ck_assert_int_eq(lex_merkle_batch(leaves, n, &arena, &root, paths), LEX_OK);
        ck_assert_str_eq(hex(root.bytes, 32), ct_roots[n - 1]);
        lex_arena_fini(&arena);
    }
}
END_TEST

START_TEST(merkle_paths_match_the_published_vectors)
{
    setup();
    /* leaf 5 of 8, and leaf 1 of 5 (numbered from 0: 0-th of 8 has three hashes) */
    static const char *const path_0_of_8[] = {
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"};
    static const char *const path_5_of_8[] = {
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"};
    struct lex_arena arena;
    struct lex_hash leaves[8], root;
    struct lex_span_list paths[8];
    lex_arena_init(&arena, 4096, 1 << 20);
    for (size_t i = 0; i < 8; i++)
        ct_leaf(i, &leaves[i]);
    ck_assert_int_eq(lex_merkle_batch(leaves, 8, &arena, &root, paths), LEX_OK);
    ck_assert_uint_eq(paths[0].count, 3);
    ck_assert_uint_eq(paths[5].count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_str_eq(hex(paths[0].items[i].data, 32), path_0_of_8[i]);
        ck_assert_str_eq(hex(paths[5].items[i].data, 32), path_5_of_8[i]);
    }
    lex_arena_fini(&arena);
}
END_TEST

/* ---- Ed25519 ---- */

START_TEST(ed25519_gives_the_signatures_of_rfc_8032)
{
    setup();
    static const struct {
        const char *seed, *public_key, *message, *signature;
    } vectors[] = {
        /* section 7.1, tests 1 to 3 */
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf9b4"
         "6bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0f11d"
         "8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "84dc6"
         "594a7c15e9716ed28dc027beceea1ec40a"},
    };
    char dir[] = "/tmp/lex_crypto_XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (size_t i = 0; i < LEX_COUNT_OF(vectors); i++) {
        uint8_t seed[32], message[8], signature[64], expected[64];
        char path[128];
        struct lex_error err;
        struct lex_keyring *keyring;
        struct lex_buf pem;
        unhex(vectors[i].seed, seed);
        struct lex_span text = lex_span_of(message, unhex(vectors[i].message, message));
        lex_buf_init(&pem, 4096);
        lex_pem_write(seed, &pem);
        for (enum lex_key_role role = 0; role < LEX_KEY_POLICY; role++) {
            snprintf(path, sizeof path, "%s/%s.pem", dir, lex_key_role_name(role));
            FILE *file = fopen(path, "w");
            fchmod(fileno(file), 0600);
            fputs(lex_buf_str(&pem), file);
            fclose(file);
        }
        ck_assert_msg(lex_keyring_load(dir, PREFIX, &keyring, &err) == LEX_OK, "%s", err.text);
        ck_assert_str_eq(hex(lex_keyring_public(keyring, LEX_KEY_LOG)->bytes, 32),
                         vectors[i].public_key);
        lex_keyring_sign(keyring, LEX_KEY_VERDICT, text, signature);
        unhex(vectors[i].signature, expected);
        ck_assert_mem_eq(signature, expected, 64);
        ck_assert(
            lex_signature_verify(lex_keyring_public(keyring, LEX_KEY_VERDICT), text, signature));
        signature[40] ^= 1;
        ck_assert(
            !lex_signature_verify(lex_keyring_public(keyring, LEX_KEY_VERDICT), text, signature));
        lex_keyring_free(keyring);
        lex_buf_fini(&pem);
    }
    remove_dir(dir);
}
END_TEST

/* ---- key files ---- */

START_TEST(pem_reads_both_versions_of_rfc_8410s_examples)
{
    setup();
    static const char v1[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                             "-----END PRIVATE KEY-----\n";
    static const char v2[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                             "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
                             "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                             "-----END PRIVATE KEY-----\n";
    uint8_t one[32], two[32];
    struct lex_error err;
    struct lex_buf again;
    ck_assert_msg(lex_pem_parse(lex_span_str(v1), one, &err) == LEX_OK, "%s", err.text);
    ck_assert_msg(lex_pem_parse(lex_span_str(v2), two, &err) == LEX_OK, "%s", err.text);
    ck_assert_mem_eq(one, two, 32);
    lex_buf_init(&again, 4096);
    lex_pem_write(one, &again);
    ck_assert_str_eq(lex_buf_str(&again), v1);
    lex_buf_fini(&again);
}
END_TEST

START_TEST(pem_refuses_a_public_key_that_does_not_belong)
{
    setup();
    /* RFC 8410's version 2 example with the last byte of the public key altered */
    static const char bad[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                              "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
                              "Z9w7lshQhqowtrbLDFw4rXAxZuI=\n"
                              "-----END PRIVATE KEY-----\n";
    uint8_t seed[32] = {0};
    struct lex_error err;
    ck_assert_int_eq(lex_pem_parse(lex_span_str(bad), seed, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "does not belong"));
    ck_assert_uint_eq(seed[0], 0);
}
END_TEST

START_TEST(pem_refuses_what_is_no_ed25519_private_key)
{
    setup();
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "no line"},
        {"-----BEGIN PUBLIC "
         "KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
         "-----END PUBLIC KEY-----\n",
         "no line"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
         "encrypted"},
        {"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06", "cut off"},
        {"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", "no base64"},
        {"-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n", "no PKCS#8"},
        /* X25519: 1.3.101.110 */
        {"-----BEGIN PRIVATE KEY-----\n"
         "MC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
         "-----END PRIVATE KEY-----\n",
         "another algorithm"},
        /* one byte behind the structure */
        {"-----BEGIN PRIVATE KEY-----\n"
         "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCAA==\n"
         "-----END PRIVATE KEY-----\n",
         "no PKCS#8"},
    };
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++) {
        uint8_t seed[32];
        struct lex_error err;
        ck_assert_int_eq(lex_pem_parse(lex_span_str(bad[i].text), seed, &err), LEX_REJECT);
        ck_assert_msg(strstr(err.text, bad[i].says) != NULL, "case %zu: %s", i, err.text);
    }
    static char large[LEX_KEY_FILE_MAX_BYTES + 1];
    memset(large, ' ', sizeof large);
    uint8_t seed[32];
    ck_assert_int_eq(lex_pem_parse(lex_span_of(large, sizeof large), seed, NULL), LEX_REJECT);
}
END_TEST

static void check_mode(const char *path, unsigned mode)
{
    struct stat info;
    ck_assert_msg(stat(path, &info) == 0, "%s", path);
    ck_assert_uint_eq(info.st_mode & 07777, mode);
}

START_TEST(generated_keys_are_private_and_never_overwritten)
{
    setup();
    char base[] = "/tmp/lex_crypto_XXXXXX", dir[64], path[128];
    struct lex_error err;
    struct lex_keyring *one, *two;
    unsigned made = 0;
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(dir, sizeof dir, "%s/keys", base);
    umask(0);
    ck_assert_msg(lex_keyring_load_or_generate(dir, PREFIX, &one, &err) == LEX_OK, "%s", err.text);
    check_mode(dir, 0700);
    for (enum lex_key_role role = 0; role < LEX_KEY_POLICY; role++) {
        snprintf(path, sizeof path, "%s/%s.pem", dir, lex_key_role_name(role));
        check_mode(path, 0600);
    }
    ck_assert_ptr_null(lex_keyring_public(one, LEX_KEY_POLICY));
    ck_assert_int_eq(lex_keyring_generate(dir, LEX_KEYS_ALL, &made, &err), LEX_OK);
    ck_assert_uint_eq(made, 1u << LEX_KEY_POLICY);
    ck_assert_int_eq(lex_keyring_load(dir, PREFIX, &two, &err), LEX_OK);
    ck_assert_mem_eq(lex_keyring_public(one, LEX_KEY_VERDICT),
                     lex_keyring_public(two, LEX_KEY_VERDICT), 32);
    ck_assert_mem_ne(lex_keyring_public(two, LEX_KEY_VERDICT), lex_keyring_public(two, LEX_KEY_LOG),
                     32);
    lex_keyring_free(one);
    lex_keyring_free(two);
    remove_dir(base);
}
END_TEST

START_TEST(key_files_that_others_can_read_or_that_are_missing_are_refused)
{
    setup();
    char dir[] = "/tmp/lex_crypto_XXXXXX", path[128];
    struct lex_error err;
    struct lex_keyring *keyring = NULL;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(lex_keyring_load(dir, PREFIX, &keyring, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "lexecon keys generate"));
    ck_assert_int_eq(lex_keyring_generate(dir, LEX_KEYS_SERVICE, NULL, &err), LEX_OK);
    snprintf(path, sizeof path, "%s/log.pem", dir);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(lex_keyring_load(dir, PREFIX, &keyring, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
    ck_assert_int_eq(chmod(path, 0400), 0);
    ck_assert_int_eq(lex_keyring_load(dir, PREFIX, &keyring, &err), LEX_OK);
    lex_keyring_free(keyring);
    ck_assert_int_eq(lex_keyring_load_or_generate("/dev/null/keys", PREFIX, &keyring, &err),
                     LEX_REJECT);
    remove_dir(dir);
}
END_TEST

/* Only root can make root's files and become somebody else, so elsewhere there is nothing to see.
 */
START_TEST(root_hands_a_key_file_to_an_unprivileged_process_by_its_group)
{
    setup();
    char dir[] = "/tmp/lex_crypto_XXXXXX", path[128];
    struct lex_error err;
    struct lex_keyring *keyring = NULL;
    if (geteuid() != 0)
        return;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(lex_keyring_generate(dir, LEX_KEYS_SERVICE, NULL, &err), LEX_OK);
    ck_assert_int_eq(chmod(dir, 0755), 0);
    for (enum lex_key_role role = 0; role < LEX_KEY_POLICY; role++) {
        snprintf(path, sizeof path, "%s/%s.pem", dir, lex_key_role_name(role));
        ck_assert_int_eq(chown(path, 0, 1000), 0);
        ck_assert_int_eq(chmod(path, 0440), 0);
    }
    ck_assert_int_eq(setegid(1000), 0);
    ck_assert_int_eq(seteuid(1000), 0);
    ck_assert_int_eq(lex_keyring_load(dir, PREFIX, &keyring, &err), LEX_OK);
    lex_keyring_free(keyring);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(path, 0444), 0); /* the group alone: not everybody */
    ck_assert_int_eq(seteuid(1000), 0);
    ck_assert_int_eq(lex_keyring_load(dir, PREFIX, &keyring, &err), LEX_REJECT);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(setegid(0), 0);
    remove_dir(dir);
}
END_TEST

START_TEST(the_openssl_command_line_reads_generated_keys)
{
    setup();
    char dir[] = "/tmp/lex_crypto_XXXXXX", command[256], got[512] = "";
    struct lex_error err;
    struct lex_keyring *keyring;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(lex_keyring_load_or_generate(dir, PREFIX, &keyring, &err), LEX_OK);
    snprintf(command, sizeof command,
             "openssl pkey -in %s/verdict.pem -pubout -outform DER | tail -c 32", dir);
    FILE *pipe = popen(command, "r");
    ck_assert_uint_eq(fread(got, 1, sizeof got, pipe), 32);
    pclose(pipe);
    ck_assert_mem_eq(got, lex_keyring_public(keyring, LEX_KEY_VERDICT)->bytes, 32);
    lex_keyring_free(keyring);
    remove_dir(dir);
}
END_TEST

START_TEST(a_key_of_the_openssl_command_line_is_read)
{
    setup();
    char dir[] = "/tmp/lex_crypto_XXXXXX", command[512], got[64];
    struct lex_error err;
    struct lex_keyring *keyring;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(
        command, sizeof command,
        "umask 077; cd %s; for r in verdict log token; do openssl genpkey -algorithm ed25519 -out "
        "$r.pem || exit 1; done; openssl pkey -in log.pem -pubout -outform DER | tail -c 32",
        dir);
    FILE *pipe = popen(command, "r");
    ck_assert_uint_eq(fread(got, 1, sizeof got, pipe), 32);
    ck_assert_int_eq(pclose(pipe), 0);
    ck_assert_msg(lex_keyring_load(dir, PREFIX, &keyring, &err) == LEX_OK, "%s", err.text);
    ck_assert_mem_eq(got, lex_keyring_public(keyring, LEX_KEY_LOG)->bytes, 32);
    lex_keyring_free(keyring);
    remove_dir(dir);
}
END_TEST

START_TEST(origin_prefixes_that_would_break_a_note_are_refused)
{
    setup();
    static const char *const bad[] = {"",      "nosegment", "/a",    "a/",    "a//b",
                                      "a b/c", "a+b/c",     "a/b\n", "a/\tb", "\xc3\xbc/b"};
    ck_assert_int_eq(lex_origin_prefix_check(LEX_SPAN(PREFIX), NULL), LEX_OK);
    for (size_t i = 0; i < LEX_COUNT_OF(bad); i++)
        ck_assert_msg(lex_origin_prefix_check(lex_span_str(bad[i]), NULL) == LEX_REJECT, "%s",
                      bad[i]);
    char text[LEX_ORIGIN_PREFIX_MAX_BYTES + 1];
    memset(text, 'a', sizeof text);
    text[1] = '/';
    ck_assert_int_eq(lex_origin_prefix_check(lex_span_of(text, sizeof text - 1), NULL), LEX_OK);
    ck_assert_int_eq(lex_origin_prefix_check(lex_span_of(text, sizeof text), NULL), LEX_REJECT);
}
END_TEST

/* ---- attestations ---- */

struct fixture {
    struct lex_arena arena;
    struct lex_keyring *keyring;
    struct lex_pins *pins;
    struct lex_buf pin_text;
};

static void fixture_init(struct fixture *f)
{
    struct lex_error err;
    setup();
    lex_arena_init(&f->arena, 1 << 20, 64 << 20);
    ck_assert_int_eq(lex_keyring_from_seed(fixed_seed, PREFIX, &f->keyring, &err), LEX_OK);
    lex_buf_init(&f->pin_text, 8192);
    ck_assert_int_eq(lex_pins_write(f->keyring, &f->pin_text), LEX_OK);
    ck_assert_msg(lex_pins_parse(lex_buf_span(&f->pin_text), &f->pins, &err) == LEX_OK, "%s",
                  err.text);
}

static void fixture_fini(struct fixture *f)
{
    lex_pins_free(f->pins);
    lex_keyring_free(f->keyring);
    lex_buf_fini(&f->pin_text);
    lex_arena_fini(&f->arena);
}

static void make_leaves(struct lex_hash *leaves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)i;
        lex_leaf_hash(lex_span_of(&number, sizeof number), &leaves[i]);
    }
}

START_TEST(every_verdict_of_every_batch_size_verifies)
{
    struct fixture f;
    fixture_init(&f);
    static struct lex_hash leaves[LEX_BATCH_MAX];
    static struct lex_attestation made[LEX_BATCH_MAX];
    struct lex_error err;
    make_leaves(leaves, LEX_BATCH_MAX);
    for (size_t n = 1; n <= 130; n++) {
        lex_arena_reset(&f.arena);
        ck_assert_int_eq(lex_attest_batch(f.keyring, LEX_SPAN(ORIGIN), leaves, n, &f.arena, made),
                         LEX_OK);
        for (size_t i = 0; i < n; i++)
            ck_assert_msg(lex_attestation_verify(f.pins, LEX_SPAN(ORIGIN), &leaves[i], &made[i],
                                                 &err) == LEX_OK,
                          "%zu of %zu: %s", i, n, err.text);
    }
    lex_arena_reset(&f.arena);
    ck_assert_int_eq(
        lex_attest_batch(f.keyring, LEX_SPAN(ORIGIN), leaves, LEX_BATCH_MAX, &f.arena, made),
        LEX_OK);
    for (size_t i = 0; i < LEX_BATCH_MAX; i += 819)
        ck_assert_int_eq(
            lex_attestation_verify(f.pins, LEX_SPAN(ORIGIN), &leaves[i], &made[i], &err), LEX_OK);
    made[7].size = LEX_BATCH_MAX + 1;
    ck_assert_int_eq(lex_attestation_verify(f.pins, LEX_SPAN(ORIGIN), &leaves[7], &made[7], &err),
                     LEX_REJECT);
    fixture_fini(&f);
}
END_TEST

static bool verifies(const struct fixture *f, const struct lex_hash *leaf,
                     const struct lex_attestation *attestation)
{
    return lex_attestation_verify(f->pins, LEX_SPAN(ORIGIN), leaf, attestation, NULL) == LEX_OK;
}

static void flip_bits_of(const struct fixture *f, const struct lex_hash *leaf,
                         const struct lex_attestation *attestation, struct lex_span bytes)
{
    uint8_t *target = (uint8_t *)(uintptr_t)bytes.data; /* in the arena, ours */
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        target[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_msg(!verifies(f, leaf, attestation), "bit %zu", bit);
        target[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

START_TEST(an_attestation_with_any_bit_altered_is_refused)
{
    struct fixture f;
    fixture_init(&f);
    static const size_t sizes[] = {1, 2, 3, 7};
    for (size_t s = 0; s < LEX_COUNT_OF(sizes); s++) {
        struct lex_hash leaves[8];
        struct lex_attestation made[8];
        make_leaves(leaves, 8);
        ck_assert_int_eq(
            lex_attest_batch(f.keyring, LEX_SPAN(ORIGIN), leaves, sizes[s], &f.arena, made),
            LEX_OK);
        struct lex_attestation *a = &made[sizes[s] - 1];
        struct lex_hash *leaf = &leaves[sizes[s] - 1];
        ck_assert(verifies(&f, leaf, a));
        flip_bits_of(&f, leaf, a, lex_span_of(leaf->bytes, 32));
        flip_bits_of(&f, leaf, a, a->signature);
        flip_bits_of(&f, leaf, a, a->key_id);
        for (size_t i = 0; i < a->path.count; i++)
            flip_bits_of(&f, leaf, a, a->path.items[i]);
        for (int bit = 0; bit < 63; bit++) {
            struct lex_attestation b = *a;
            b.index ^= INT64_C(1) << bit;
            ck_assert_msg(!verifies(&f, leaf, &b), "index bit %d", bit);
            b = *a;
            b.size ^= INT64_C(1) << bit;
            ck_assert_msg(!verifies(&f, leaf, &b), "size bit %d", bit);
        }
        struct lex_attestation b = *a;
        b.version = 2;
        ck_assert(!verifies(&f, leaf, &b));
    }
    fixture_fini(&f);
}
END_TEST

START_TEST(an_attestation_fits_no_other_log_key_or_path_length)
{
    struct fixture f, other;
    struct lex_error err;
    fixture_init(&f);
    struct lex_hash leaves[3];
    struct lex_attestation made[3];
    make_leaves(leaves, 3);
    ck_assert_int_eq(lex_attest_batch(f.keyring, LEX_SPAN(ORIGIN), leaves, 3, &f.arena, made),
                     LEX_OK);
    static const char *const origins[] = {
        PREFIX "/lexecon.ledger/1",         PREFIX,     PREFIX "/",
        "example.com/tes/lexecon.ledger/0", ORIGIN "0", ""};
    for (size_t i = 0; i < LEX_COUNT_OF(origins); i++)
        ck_assert_msg(lex_attestation_verify(f.pins, lex_span_str(origins[i]), &leaves[0], &made[0],
                                             &err) == LEX_REJECT,
                      "%s", origins[i]);
    struct lex_attestation cut = made[0], longer = made[2];
    struct lex_span more[4] = {made[2].path.items[0], made[2].path.items[0]};
    cut.path.count--;
    longer.path = (struct lex_span_list){more, 2};
    ck_assert(!verifies(&f, &leaves[0], &cut));
    ck_assert(!verifies(&f, &leaves[2], &longer));
    struct lex_span narrow[] = {{made[2].path.items[0].data, 31}};
    longer.path = (struct lex_span_list){narrow, 1};
    ck_assert(!verifies(&f, &leaves[2], &longer));
    /* another keyring's signature, under the pinned key's id */
    uint8_t seed[32] = {9};
    other = f;
    ck_assert_int_eq(lex_keyring_from_seed(seed, PREFIX, &other.keyring, &err), LEX_OK);
    struct lex_attestation forged[3];
    ck_assert_int_eq(lex_attest_batch(other.keyring, LEX_SPAN(ORIGIN), leaves, 3, &f.arena, forged),
                     LEX_OK);
    ck_assert(!verifies(&f, &leaves[0], &forged[0]));
    forged[0].key_id = made[0].key_id;
    ck_assert(!verifies(&f, &leaves[0], &forged[0]));
    /* the log key is pinned, but not for verdicts */
    forged[0] = made[0];
    forged[0].key_id = lex_span_of(lex_keyring_id(f.keyring, LEX_KEY_LOG), 4);
    ck_assert(!verifies(&f, &leaves[0], &forged[0]));
    lex_keyring_free(other.keyring);
    fixture_fini(&f);
}
END_TEST

START_TEST(a_full_arena_is_a_limit_and_never_half_an_attestation)
{
    struct fixture f;
    fixture_init(&f);
    struct lex_arena small;
    struct lex_hash leaves[64];
    struct lex_attestation made[64] = {{.version = 0}};
    make_leaves(leaves, 64);
    lex_arena_init(&small, 256, 4096);
    ck_assert_int_eq(lex_attest_batch(f.keyring, LEX_SPAN(ORIGIN), leaves, 64, &small, made),
                     LEX_LIMIT);
    ck_assert_int_eq(made[0].version, 0);
    lex_arena_fini(&small);
    fixture_fini(&f);
}
END_TEST

START_TEST(golden_values_of_a_fixed_seed_never_change)
{
    struct fixture f;
    fixture_init(&f);
    char note[LEX_NOTE_MAX_BYTES];
    size_t note_bytes;
    struct lex_hash leaves[3], root;
    struct lex_span_list paths[3];
    struct lex_attestation made[3];
    make_leaves(leaves, 3);
    ck_assert_int_eq(lex_merkle_batch(leaves, 3, &f.arena, &root, paths), LEX_OK);
    ck_assert_int_eq(lex_note_batch(LEX_SPAN(ORIGIN), 3, &root, note, &note_bytes), LEX_OK);
    ck_assert_int_eq(lex_attest_batch(f.keyring, LEX_SPAN(ORIGIN), leaves, 3, &f.arena, made),
                     LEX_OK);
    /* made by another implementation (Python, cryptography) from the formats' description */
    static const char golden_note[] = "lexecon-verdict-batch/v1\n"
                                      "example.com/test/lexecon.ledger/0\n"
                                      "3\n"
                                      "HdEzXZqsRvm0np5XBAwdInAGSSkocKI0UjkA2lTKEYo=\n";
    static const char golden_leaf[] =
        "86f9649499b0080656c014aa244f654864bad4145c8513e9c8409f437d4a2b3b";
    static const char golden_signature[] =
        "b248aa2643b16044f45c3594019da16ea1431d983fd430cce71aafd5b9256a2e"
        "e87e9d0a3df7e996da0c82d030f1eee918313930caa1751f4dd76def1d89210c";
    static const char golden_pins[] =
        "{\n"
        "  \"origin_prefix\": \"example.com/test\",\n"
        "  \"keys\": [\n"
        "    {\"role\": \"verdict\", \"key_id\": \"c7946fe4\", \"public_key\": "
        "\"Hr9lh9w+rGMbAsSAQe5QrxLLR/SDuy/IOj0lvesPiRM=\", \"name\": "
        "\"example.com/test/verdict\"},\n"
        "    {\"role\": \"log\", \"key_id\": \"3549018f\", \"public_key\": "
        "\"umd3SoVdADD1MdB+sEb/hapoWX8knbyPbZhP9g53RRs=\", \"name\": \"example.com/test/log\"},\n"
        "    {\"role\": \"token\", \"key_id\": \"e8d14c30\", \"public_key\": "
        "\"dPaFppujgl7a9RSrkKQuqVpYdXIWIxvW/vLUQIneFqY=\", \"name\": \"example.com/test/token\"},\n"
        "    {\"role\": \"policy\", \"key_id\": \"0a810333\", \"public_key\": "
        "\"x4FatWU1usjgceZ3EHVJCeoDFV+p37kDYAtjhh0qhRo=\", \"name\": \"example.com/test/policy\"}\n"
        "  ]\n"
        "}\n";
    ck_assert_str_eq(note, golden_note);
    ck_assert_str_eq(hex(leaves[1].bytes, 32), golden_leaf);
    ck_assert_str_eq(hex(made[1].signature.data, 64), golden_signature);
    ck_assert_str_eq(lex_buf_str(&f.pin_text), golden_pins);
    fixture_fini(&f);
}
END_TEST

/* ---- pins ---- */

START_TEST(pin_files_that_were_edited_are_refused)
{
    struct fixture f;
    fixture_init(&f);
    static const struct {
        const char *find, *put, *says;
    } edits[] = {
        {"\"role\": \"verdict\"", "\"role\": \"log\"", "name"},
        {"\"keys\"", "\"keyz\"", "exactly"},
        {"\"role\": \"verdict\"", "\"role\": \"judge\"", "role"},
        {"example.com/test\"", "example.com/prod\"", "name"},
        {"\"key_id\": \"", "\"key_id\": \"00", "key_id"},
        {"\"public_key\": \"", "\"public_key\": \"AAAA", "public_key"},
        {"{\n", "{\"extra\": 1,\n", "exactly"},
    };
    const char *text = lex_buf_str(&f.pin_text);
    for (size_t i = 0; i < LEX_COUNT_OF(edits); i++) {
        struct lex_error err;
        struct lex_pins *pins = NULL;
        struct lex_buf edited;
        const char *at = strstr(text, edits[i].find);
        ck_assert_ptr_nonnull(at);
        lex_buf_init(&edited, 8192);
        lex_buf_put(&edited, text, (size_t)(at - text));
        lex_buf_puts(&edited, edits[i].put);
        lex_buf_puts(&edited, at + strlen(edits[i].find));
        ck_assert_int_eq(lex_pins_parse(lex_buf_span(&edited), &pins, &err), LEX_REJECT);
        ck_assert_msg(strstr(err.text, edits[i].says) != NULL, "case %zu: %s", i, err.text);
        ck_assert_ptr_null(pins);
        lex_buf_fini(&edited);
    }
    fixture_fini(&f);
}
END_TEST

START_TEST(a_missing_pin_file_is_told_by_its_name)
{
    struct lex_pins *pins;
    struct lex_error err;
    setup();
    ck_assert_int_eq(lex_pins_load("/nonexistent/pins.json", &pins, &err), LEX_REJECT);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/pins.json"));
}
END_TEST

LEX_CHECK_MAIN(
    "crypto", sha256_gives_the_published_values, merkle_roots_match_the_published_vectors,
    merkle_paths_match_the_published_vectors, ed25519_gives_the_signatures_of_rfc_8032,
    pem_reads_both_versions_of_rfc_8410s_examples, pem_refuses_a_public_key_that_does_not_belong,
    pem_refuses_what_is_no_ed25519_private_key, generated_keys_are_private_and_never_overwritten,
    key_files_that_others_can_read_or_that_are_missing_are_refused,
    root_hands_a_key_file_to_an_unprivileged_process_by_its_group,
    the_openssl_command_line_reads_generated_keys, a_key_of_the_openssl_command_line_is_read,
    origin_prefixes_that_would_break_a_note_are_refused, every_verdict_of_every_batch_size_verifies,
    an_attestation_with_any_bit_altered_is_refused,
    an_attestation_fits_no_other_log_key_or_path_length,
    a_full_arena_is_a_limit_and_never_half_an_attestation,
    golden_values_of_a_fixed_seed_never_change, pin_files_that_were_edited_are_refused,
    a_missing_pin_file_is_told_by_its_name)

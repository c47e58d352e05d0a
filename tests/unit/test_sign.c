/*
 * Tests of src/base/sign.h: HMAC-SHA256 by the vectors of RFC 4231 (section 4; number 5 is of a cut code, which is not made here), SHA-256 by those of FIPS 180-2, appendix B.
 */
#include "unit.h"

#include "../../src/base/sign.h"

/* The signature in hexadecimal, as the RFC writes it. */
static const char *hex_of(const char *signature)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char hex[2 * 33 + 1];
    assert_int_equal(strlen(signature), SIGN_BYTES - 1);
    assert_int_equal(signature[43], '=');
    size_t out = 0;
    for (size_t i = 0; i < 44; i += 4) {
        unsigned group = 0;
        for (size_t j = 0; j < 4; j++) {
            const char *at = strchr(letters, signature[i + j]);
            assert_true(at != NULL || i + j == 43);
            group = group << 6 | (at != NULL ? (unsigned)(at - letters) : 0);
        }
        (void)snprintf(hex + out, 7, "%06x", group);
        out += 6;
    }
    hex[64] = '\0';
    return hex;
}

static void signatures_are_those_of_rfc_4231(void **state)
{
    (void)state;
    char key_1[21] = {0}, key_3[21] = {0}, key_4[26] = {0}, key_6[132] = {0}, data_3[50], data_4[50];
    memset(key_1, 0x0b, 20);
    memset(key_3, 0xaa, 20);
    memset(key_6, 0xaa, 131);
    memset(data_3, 0xdd, 50);
    memset(data_4, 0xcd, 50);
    for (int i = 0; i < 25; i++)
        key_4[i] = (char)(i + 1);
    static const char data_6[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    static const char data_7[] = "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
    const struct {
        const char *key, *data;
        size_t len;
        const char *hex;
    } vectors[] = {
        {key_1, "Hi There", 8, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", "what do ya want for nothing?", 28, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {key_3, data_3, 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {key_4, data_4, 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {key_6, data_6, sizeof data_6 - 1, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {key_6, data_7, sizeof data_7 - 1, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char signature[SIGN_BYTES];
        assert_true(sign_text(vectors[i].key, guard(vectors[i].data, vectors[i].len), vectors[i].len, signature));
        assert_string_equal(hex_of(signature), vectors[i].hex);
    }
}

static void a_signature_is_base64(void **state)
{
    (void)state;
    char signature[SIGN_BYTES];
    assert_true(sign_text("Jefe", "what do ya want for nothing?", 28, signature));
    assert_string_equal(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
}

static void hashes_are_those_of_fips_180(void **state)
{
    (void)state;
    static const char long_text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    char hash[SIGN_HEX_BYTES];
    assert_true(sign_hash("abc", 3, hash));
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(sign_hash(long_text, sizeof long_text - 1, hash));
    assert_string_equal(hash, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_true(sign_hash("", 0, hash));
    assert_string_equal(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(sign_hash(NULL, 0, hash));
    assert_string_equal(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    assert_true(sign_hash(million, 1000000, hash));
    assert_string_equal(hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void signatures_are_compared_whole(void **state)
{
    (void)state;
    char a[SIGN_BYTES], b[SIGN_BYTES];
    assert_true(sign_text("k", "x", 1, a) && sign_text("k", "x", 1, b));
    assert_true(sign_equal(a, b));
    assert_true(sign_equal("", ""));
    assert_false(sign_equal(a, ""));
    assert_false(sign_equal("", a));
    for (size_t i = 0; i < SIGN_BYTES - 1; i++) {
        b[i] ^= 1;
        assert_false(sign_equal(a, b));
        b[i] ^= 1;
    }
    b[SIGN_BYTES - 2] = '\0'; /* a beginning of it */
    assert_false(sign_equal(a, b));
    assert_false(sign_equal(b, a));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(signatures_are_those_of_rfc_4231),
    cmocka_unit_test(a_signature_is_base64),
    cmocka_unit_test(hashes_are_those_of_fips_180),
    cmocka_unit_test(signatures_are_compared_whole),
};

UNIT_MAIN(tests)

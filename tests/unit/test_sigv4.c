/*
 * Tests of src/llm/sigv4.c against the vectors that AWS publishes for its signers (aws-sig-v4-test-suite and its successor aws-signing-test-suite/v4, Apache License 2.0;
 * "-unnormalized": the successor's, whose paths are signed as they are sent) and the examples of the Amazon S3 API reference ("Signature Calculations for the
 * Authorization Header"). For paths with escapes there is none published with these headers; those signatures are what botocore 1.44.5 makes of the same requests.
 */
#include "unit.h"

#include "../../src/llm/sigv4.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8p" \
              "hUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabI"     \
              "Qwj2ICCR/oLxBA=="
#define SHORT_TOKEN "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define FORM "application/x-www-form-urlencoded"

static const time_t suite_time = 1440938160; /* 2015-08-30T12:36:00Z */

static struct sigv4_request suite_request(void)
{
    return (struct sigv4_request){.method = "GET", .host = "example.amazonaws.com", .path = "/", .body = "", .region = "us-east-1", .service = "service",
                                  .access_key = "AKIDEXAMPLE", .secret_key = SECRET, .time = suite_time};
}

/* The header lines, or "refused". Good until the next call. */
static const char *signed_lines(const struct sigv4_request *request)
{
    static char text[16 * 1024];
    struct buf headers;
    struct failure failure = {0};
    buf_init(&headers, sizeof text - 1);
    enum outcome outcome = sigv4_sign(request, &headers, &failure);
    assert_int_equal(outcome == OUTCOME_OK, headers.len > 0);
    (void)snprintf(text, sizeof text, "%s", outcome == OUTCOME_OK ? headers.data : "refused");
    if (outcome != OUTCOME_OK)
        assert_lacks(failure.message, "KEY");
    buf_free(&headers);
    return text;
}

static void published_requests_are_signed_as_published(void **state)
{
    (void)state;
    static const struct {
        const char *name, *method, *path, *query, *type, *body, *token, *names, *signature;
    } vectors[] = {
        {"get-vanilla", "GET", "/", NULL, NULL, "", NULL, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"get-vanilla-query", "GET", "/", "", NULL, "", NULL, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"get-vanilla-empty-query-key", "GET", "/", "Param1=value1", NULL, "", NULL, "host;x-amz-date", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
        {"get-vanilla-query-order-key", "GET", "/", "Param1=value2&Param1=Value1", NULL, "", NULL, "host;x-amz-date",
         "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"},
        {"get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1", NULL, "", NULL, "host;x-amz-date",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
        {"get-vanilla-query-order-value", "GET", "/", "Param1=value2&Param1=value1", NULL, "", NULL, "host;x-amz-date",
         "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"},
        {"get-vanilla-query-order-encoded", "GET", "/", "Param-3=Value3&Param=Value2&%E1%88%B4=Value1", NULL, "", NULL, "host;x-amz-date",
         "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
        {"get-vanilla-query-unreserved", "GET", "/", UNRESERVED "=" UNRESERVED, NULL, "", NULL, "host;x-amz-date",
         "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
        {"get-vanilla-utf8-query", "GET", "/", "ሴ=bar", NULL, "", NULL, "host;x-amz-date", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
        {"get-unreserved", "GET", "/" UNRESERVED, NULL, NULL, "", NULL, "host;x-amz-date", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
        {"get-utf8", "GET", "/ሴ", NULL, NULL, "", NULL, "host;x-amz-date", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
        {"get-space-unnormalized", "GET", "/example space/", NULL, NULL, "", NULL, "host;x-amz-date", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
        {"get-relative-unnormalized", "GET", "/example/..", NULL, NULL, "", NULL, "host;x-amz-date", "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
        {"get-relative-relative-unnormalized", "GET", "/example1/example2/../..", NULL, NULL, "", NULL, "host;x-amz-date",
         "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"},
        {"get-slash-unnormalized", "GET", "//", NULL, NULL, "", NULL, "host;x-amz-date", "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"},
        {"get-slashes-unnormalized", "GET", "//example//", NULL, NULL, "", NULL, "host;x-amz-date", "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
        {"get-slash-dot-slash-unnormalized", "GET", "/./", NULL, NULL, "", NULL, "host;x-amz-date", "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
        {"get-slash-pointless-dot-unnormalized", "GET", "/./example", NULL, NULL, "", NULL, "host;x-amz-date",
         "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"},
        {"get-vanilla-with-session-token", "GET", "/", NULL, NULL, "", SHORT_TOKEN, "host;x-amz-date;x-amz-security-token",
         "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
        {"post-vanilla", "POST", "/", NULL, NULL, "", NULL, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"post-vanilla-query", "POST", "/", "Param1=value1", NULL, "", NULL, "host;x-amz-date", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
        {"post-vanilla-empty-query-value", "POST", "/", "Param1=value1", NULL, "", NULL, "host;x-amz-date",
         "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
        {"post-sts-header-before", "POST", "/", NULL, NULL, "", TOKEN, "host;x-amz-date;x-amz-security-token",
         "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
        {"post-x-www-form-urlencoded", "POST", "/", NULL, FORM, "Param1=value1", NULL, "content-type;host;x-amz-date",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
        {"post-x-www-form-urlencoded-parameters", "POST", "/", NULL, FORM "; charset=utf8", "Param1=value1", NULL, "content-type;host;x-amz-date",
         "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char wanted[4096];
        struct sigv4_request request = suite_request();
        request.method = vectors[i].method;
        request.path = vectors[i].path;
        request.query = vectors[i].query;
        request.content_type = vectors[i].type;
        request.body = vectors[i].body;
        request.body_len = strlen(vectors[i].body);
        request.session_token = vectors[i].token;
        bool has_token = vectors[i].token != NULL;
        (void)snprintf(wanted, sizeof wanted, "X-Amz-Date: 20150830T123600Z\n%s%s%sAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
                       "aws4_request, SignedHeaders=%s, Signature=%s\n", has_token ? "X-Amz-Security-Token: " : "", has_token ? vectors[i].token : "", has_token ? "\n" : "",
                       vectors[i].names, vectors[i].signature);
        const char *got = signed_lines(&request);
        if (strcmp(got, wanted) != 0)
            print_error("%s\n", vectors[i].name);
        assert_string_equal(got, wanted);
    }
}

static void s3_signs_its_path_once_and_the_hash_of_the_body(void **state)
{
    (void)state;
    struct sigv4_request request = {.method = "GET", .host = "examplebucket.s3.amazonaws.com", .path = "/", .query = "lifecycle", .body = "", .region = "us-east-1",
                                    .service = "s3", .access_key = "AKIAIOSFODNN7EXAMPLE", .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", .time = 1369353600};
    assert_string_equal(signed_lines(&request),
                        "X-Amz-Date: 20130524T000000Z\nX-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nAuthorization: "
                        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543\n");
    request.query = "max-keys=2&prefix=J";
    assert_contains(signed_lines(&request), "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7\n");
}

static const char *path_signed(const char *path, const char *service)
{
    static char text[512];
    struct buf out;
    buf_init(&out, sizeof text - 1);
    sigv4_add_path(&out, path, service);
    (void)snprintf(text, sizeof text, "%s", out.data);
    buf_free(&out);
    return text;
}

static void paths_are_encoded_once_more_but_for_s3(void **state)
{
    (void)state;
    assert_string_equal(path_signed("/model/us.anthropic.x-v1%3A0/converse-stream", "bedrock"), "/model/us.anthropic.x-v1%253A0/converse-stream");
    assert_string_equal(path_signed("/model/us.anthropic.x-v1:0/converse-stream", "bedrock"), "/model/us.anthropic.x-v1%3A0/converse-stream");
    assert_string_equal(path_signed("/a%2Fb/", "bedrock"), "/a%252Fb/");
    assert_string_equal(path_signed("/a%3Ab", "s3"), "/a%3Ab");
}

static void bedrock_model_ids_are_signed_as_botocore_does(void **state)
{
    (void)state;
    static const struct { const char *path, *token, *signature; } cases[] = {
        {"/model/us.anthropic.x-v1%3A0/converse-stream", NULL, "aeb3063343f9cf2727d3a3d1cceae81e52a4d7be05946198354d583ac58e339f"},
        {"/model/us.anthropic.x-v1%3A0/converse-stream", "TOKEN/+==", "ef460c1a0635ec3f5739dd31bc62a8082f77b054f0451b2b59cf43e7aa6c34f5"},
        {"/model/us.anthropic.x-v1:0/converse-stream", NULL, "349af27257f61cd977734fc7930527978448831ef21119b78fb7dec81fec0610"},
        {"/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse-stream", NULL,
         "9d3f72f3a6639214392cf233e85f9f892355720375363d4036e61e4e0af6bd6a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sigv4_request request = suite_request();
        request.method = "POST";
        request.host = "bedrock-runtime.us-east-1.amazonaws.com";
        request.service = "bedrock";
        request.path = cases[i].path;
        request.content_type = "application/json";
        request.body = "{}";
        request.body_len = 2;
        request.session_token = cases[i].token;
        assert_contains(signed_lines(&request), cases[i].signature);
    }
}

static const char *query_signed(const char *query)
{
    static char text[4096];
    struct buf out;
    buf_init(&out, sizeof text - 1);
    bool good = sigv4_add_query(&out, query);
    (void)snprintf(text, sizeof text, "%s", good ? out.data : "too many");
    buf_free(&out);
    return text;
}

static void queries_are_put_into_their_one_form(void **state)
{
    (void)state;
    assert_string_equal(query_signed(""), "");
    assert_string_equal(query_signed("a"), "a=");
    assert_string_equal(query_signed("&&b=1&a=&"), "a=&b=1");
    assert_string_equal(query_signed("a=x=y&a=%3a+%2"), "a=%3A%2B%252&a=x%3Dy");
    assert_string_equal(query_signed("a-b=1&a=2"), "a=2&a-b=1");
    assert_string_equal(query_signed("a=%00\1"), "a=%00%01");
    assert_string_equal(query_signed("=v"), "=v");
    char many[300] = "";
    for (int i = 0; i < 64; i++)
        strcat(many, "a&");
    assert_int_equal(strlen(query_signed(many)), 64 * 3 - 1);
    strcat(many, "a");
    assert_string_equal(query_signed(many), "too many");
}

static void every_part_of_a_request_is_signed(void **state)
{
    (void)state;
    struct sigv4_request changed[10];
    char first[4096];
    for (size_t i = 0; i < 10; i++)
        changed[i] = suite_request();
    (void)snprintf(first, sizeof first, "%s", strstr(signed_lines(&changed[0]), "Signature="));
    changed[1].method = "POST";
    changed[2].host = "example.amazonaws.org";
    changed[3].path = "/a";
    changed[4].query = "a";
    changed[5].body_len = strlen(changed[5].body = "a");
    changed[6].region = "us-east-2";
    changed[7].secret_key = "x" SECRET;
    changed[8].service = "bedrock";
    changed[9].time++;
    for (size_t i = 1; i < 10; i++)
        assert_string_not_equal(strstr(signed_lines(&changed[i]), "Signature="), first);
}

static void values_that_cannot_stand_in_a_header_are_refused(void **state)
{
    (void)state;
    static char long_secret[300], long_token[70000];
    memset(long_secret, 'a', sizeof long_secret - 1);
    memset(long_token, 'a', sizeof long_token - 1);
    struct sigv4_request bad[14];
    for (size_t i = 0; i < 14; i++)
        bad[i] = suite_request();
    bad[0].access_key = "A\nX-Evil: 1";
    bad[1].access_key = "";
    bad[2].access_key = NULL;
    bad[3].secret_key = "";
    bad[4].secret_key = long_secret;
    bad[5].session_token = "a\rb";
    bad[6].session_token = long_token;
    bad[7].host = "";
    bad[8].host = "a\n";
    bad[9].region = "";
    bad[10].region = long_secret;
    bad[11].content_type = "a\tb";
    bad[12].path = "";
    bad[13].time = (time_t)1 << 60;
    for (size_t i = 0; i < 14; i++)
        assert_string_equal(signed_lines(&bad[i]), "refused");
}

static void what_does_not_fit_is_not_half_appended(void **state)
{
    (void)state;
    struct sigv4_request request = suite_request();
    struct buf headers;
    struct failure failure;
    buf_init(&headers, 60);
    buf_add_text(&headers, "Accept: x\n");
    assert_int_equal(sigv4_sign(&request, &headers, &failure), OUTCOME_NO_MEMORY);
    assert_string_equal(headers.data, "Accept: x\n");
    buf_free(&headers);
    buf_init(&headers, 4096);
    int failures = 0;
    for (long i = 0; i < 100; i++) {
        mem_fail_after(i);
        if (sigv4_sign(&request, &headers, &failure) == OUTCOME_OK)
            break;
        failures++;
        assert_int_equal(headers.len, 0);
    }
    mem_fail_after(-1);
    assert_true(failures > 3 && failures < 100);
    buf_free(&headers);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(published_requests_are_signed_as_published),
    cmocka_unit_test(s3_signs_its_path_once_and_the_hash_of_the_body),
    cmocka_unit_test(paths_are_encoded_once_more_but_for_s3),
    cmocka_unit_test(bedrock_model_ids_are_signed_as_botocore_does),
    cmocka_unit_test(queries_are_put_into_their_one_form),
    cmocka_unit_test(every_part_of_a_request_is_signed),
    cmocka_unit_test(values_that_cannot_stand_in_a_header_are_refused),
    cmocka_unit_test(what_does_not_fit_is_not_half_appended),
};

UNIT_MAIN(tests)

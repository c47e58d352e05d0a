/*
 * Tests of src/llm/embed.h, model_list.h, fetch.h and provider_check(): what a server is asked and what is made of its answers.
 *
 * Each case is a child with settings of its own; beside it runs a server on a free port of the loopback, that gives the answers of the case, each once, and notes what it was asked
 * in memory that both see. "%d" in settings stands for its port.
 */
#include "unit.h"

#include <arpa/inet.h>
#include <math.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "../../src/base/loop.h"
#include "../../src/base/settings.h"
#include "../../src/llm/embed.h"
#include "../../src/llm/fetch.h"
#include "../../src/llm/model_list.h"
#include "../../src/llm/relay.h"

/* --- the server ------------------------------------------------------------------------------------------------------------------- */

struct answer {
    const char *path;    /* what the request's must begin with; NULL: any */
    int status;          /* 0: 200 */
    const char *body;
    const char *headers; /* further lines, each ended by "\r\n"; NULL: none */
    bool again;          /* it is given as often as it fits */
};

enum { ANSWERS = 8, NOTES_BYTES = 256 * 1024, REQUEST_BYTES = 128 * 1024, CASE_SECONDS = 30 };

static struct notes {
    size_t len;
    char text[NOTES_BYTES]; /* "METHOD PATH [key header]\nBODY\n" of each request */
} *notes;

static void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(notes->text + notes->len, sizeof notes->text - notes->len, format, args);
    va_end(args);
    notes->len += len > 0 && (size_t)len < sizeof notes->text - notes->len ? (size_t)len : 0;
}

/* Reads a request; its first line and body are ended by NULs. */
static bool read_request(int fd, char *bytes, char **head, char **body)
{
    size_t len = 0;
    *head = bytes;
    for (;;) {
        ssize_t n = len < REQUEST_BYTES ? recv(fd, bytes + len, REQUEST_BYTES - len, 0) : 0;
        if (n <= 0)
            return false;
        len += (size_t)n;
        bytes[len] = '\0';
        char *end = strstr(bytes, "\r\n\r\n");
        if (end == NULL)
            continue;
        char *length = strcasestr(bytes, "\r\nContent-Length:");
        size_t wanted = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
        if (len - (size_t)(end + 4 - bytes) < wanted)
            continue;
        *end = '\0';
        *body = end + 4;
        return true;
    }
}

/* The header that shows the key, "" when there is none. */
static void note_key(char *head)
{
    static const char *const names[] = {"\r\nAuthorization:", "\r\nx-api-key:", "\r\napi-key:", "\r\nx-goog-api-key:"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *line = strcasestr(head, names[i]);
        if (line != NULL)
            note(" [%.*s]", (int)strcspn(line + 2, "\r"), line + 2);
    }
}

static void serve_one(int fd, const struct answer *answers, bool *used)
{
    static char bytes[REQUEST_BYTES + 1];
    char *head, *body;
    if (!read_request(fd, bytes, &head, &body))
        return;
    char *path = strchr(head, ' ') + 1;
    size_t path_len = strcspn(path, " ");
    note("%.*s", (int)(path + path_len - head), head);
    note_key(head);
    note("\n%s\n", body);
    const struct answer none = {.status = 404, .body = "{\"error\":{\"message\":\"unexpected\"}}"}, *answer = &none;
    for (int i = 0; i < ANSWERS && answer == &none; i++)
        if (!used[i] && answers[i].body != NULL && (answers[i].path == NULL || strncmp(path, answers[i].path, strlen(answers[i].path)) == 0)) {
            used[i] = !answers[i].again;
            answer = &answers[i];
        }
    char start[512];
    int len = snprintf(start, sizeof start, "HTTP/1.1 %d Said\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n",
                       answer->status != 0 ? answer->status : 200, strlen(answer->body), answer->headers != NULL ? answer->headers : "");
    (void)!write(fd, start, (size_t)len);
    for (size_t at = 0, all = strlen(answer->body); at < all;) {
        ssize_t n = write(fd, answer->body + at, all - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
}

/* A socket that listens, and its port. */
static int listen_somewhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        _exit(70);
    *port = ntohs(address.sin_port);
    return fd;
}

static pid_t start_server(int listener, const struct answer *answers)
{
    pid_t parent = getpid(), child = fork();
    if (child != 0)
        return child;
    bool used[ANSWERS] = {false};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)alarm(CASE_SECONDS);
    (void)signal(SIGPIPE, SIG_IGN);
    while (getppid() == parent) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            break;
        serve_one(fd, answers, used);
        close(fd);
    }
    _exit(0);
}

/* --- cases ------------------------------------------------------------------------------------------------------------------------ */

struct one {
    void (*run)(FILE *out, const struct one *one);
    struct answer answers[ANSWERS];
    const char *environment[10]; /* "%d": the port */
    const char *texts[4];
    size_t count;                /* of texts; 0: those above. More: "text 0", "text 1", … */
    enum embed_purpose purpose;
};

static void run_case(FILE *out, void *arg)
{
    static char variables[10][256];
    const struct one *one = arg;
    int port = 0, listener = listen_somewhere(&port);
    (void)alarm(CASE_SECONDS);
    notes = mmap(NULL, sizeof *notes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t server = notes != MAP_FAILED ? start_server(listener, one->answers) : -1;
    if (server < 0)
        _exit(70);
    clearenv();
    (void)putenv((char *)(uintptr_t) "PARLEY_JSON=/nowhere/parley.json");
    (void)putenv((char *)(uintptr_t) "RETRY_BASE_SECONDS=0");
    for (int i = 0; i < 10 && one->environment[i] != NULL; i++) {
        (void)snprintf(variables[i], sizeof variables[i], one->environment[i], port);
        (void)putenv(variables[i]);
    }
    if (!settings_load("cgi-bin/chat.fcgi", NULL, out))
        (void)fprintf(out, "the settings are bad\n");
    unit_silence(); /* the settings have a level of their own */
    if (!loop_start() || !relay_start())
        _exit(70);
    one->run(out, one);
    relay_stop();
    loop_stop();
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    (void)fprintf(out, "\n--\n%s", notes->text);
}

/* What came of it; "--"; what was asked. */
static const char *outcome_of(struct one one)
{
    return in_child(run_case, &one);
}

/* "model[x y][x y]", or the code and the sentence. */
static void embed(FILE *out, const struct one *one)
{
    static char made[1000][16];
    static const char *texts[1000];
    size_t count = one->count;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(made[i], sizeof made[i], "text %u", (unsigned)i);
        texts[i] = made[i];
    }
    for (; one->count == 0 && count < 4 && one->texts[count] != NULL; count++)
        texts[count] = one->texts[count];
    struct embed_result result;
    struct failure failure = {0};
    enum outcome outcome = embed_texts(texts, count, one->purpose, &result, &failure);
    if (outcome != OUTCOME_OK) {
        (void)fprintf(out, "%s: %s%s", outcome_code(outcome), failure.message, result.vectors != NULL || result.size != 0 ? " but there are vectors" : "");
        return;
    }
    (void)fprintf(out, "%s", result.model);
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t k = 0; k < result.size; k++) {
            float number = result.vectors[i * result.size + k];
            sum += (double)number * (double)number;
            if (count <= 4 || i % 100 == 0)
                (void)fprintf(out, "%s%.3g", k == 0 ? "[" : " ", (double)number);
        }
        (void)fprintf(out, "%s", count <= 4 || i % 100 == 0 ? "]" : "");
        if (!(fabs(sum - 1) < 1e-5))
            (void)fprintf(out, " of length %g", sqrt(sum));
    }
    mem_free(result.vectors);
}

#define EMBED(...) outcome_of((struct one){.run = embed, __VA_ARGS__})
#define OPENAI_HERE .environment = {"EMBEDDING_MODEL=openai/small", "EMBEDDING_BASE_URL=http://127.0.0.1:%d/v1", "OPENAI_API_KEY=sk-1"}
#define SAYS(text) .answers = {{.body = text}}

/* What is asked and taken: by OpenAI's two texts and (3,4), (1,0). */
#define TWO .texts = {"one", "two"}

/* --- the kinds of servers -------------------------------------------------------------------------------------------------------------- */

static void openai_gives_vectors_in_any_order(void **state)
{
    (void)state;
    const char *got = EMBED(OPENAI_HERE, TWO, SAYS("{\"data\":[{\"index\":1,\"embedding\":[1,0]},{\"index\":0,\"embedding\":[3,4]}],\"usage\":{\"prompt_tokens\":2}}"));
    assert_string_equal(got, "openai/small[0.6 0.8][1 0]\n--\nPOST /v1/embeddings [Authorization: Bearer sk-1]\n"
                             "{\"model\":\"small\",\"input\":[\"one\",\"two\"],\"encoding_format\":\"float\"}\n");
}

static void without_an_index_the_order_is_that_of_the_list(void **state)
{
    (void)state;
    assert_contains(EMBED(OPENAI_HERE, TWO, SAYS("{\"data\":[{\"embedding\":[0,-2]},{\"embedding\":[0.5,0]}]}")), "openai/small[0 -1][1 0]\n");
}

/* A list of `count` vectors of OpenAI's, last one first. */
static const char *many_vectors(char *text, size_t size, int count, int first)
{
    size_t len = (size_t)snprintf(text, size, "{\"data\":[");
    for (int i = count - 1; i >= 0; i--)
        len += (size_t)snprintf(text + len, size - len, "{\"index\":%d,\"embedding\":[%d,1]}%s", i, first + i, i > 0 ? "," : "]}");
    return text;
}

static void more_texts_than_a_batch_are_more_requests(void **state)
{
    (void)state;
    static char one[32 * 1024], two[32 * 1024], three[32 * 1024];
    const char *got = EMBED(OPENAI_HERE, .count = 601, .answers = {{.body = many_vectors(one, sizeof one, 256, 0)}, {.body = many_vectors(two, sizeof two, 256, 256)},
                                                                   {.body = many_vectors(three, sizeof three, 89, 512)}});
    char wanted[200] = "openai/small";
    for (int i = 0; i <= 600; i += 100) {
        double length = sqrt((double)i * i + 1);
        (void)snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "[%.3g %.3g]", (double)(float)(i / length), (double)(float)(1 / length));
    }
    assert_contains(got, wanted);
    assert_lacks(got, "of length");
    assert_contains(got, "\"input\":[\"text 0\",\"text 1\",");
    assert_contains(got, "\"text 255\"],");
    assert_contains(got, "\"input\":[\"text 256\",");
    assert_contains(got, "\"input\":[\"text 512\",");
    assert_contains(got, "\"text 600\"],");
}

static void a_failure_of_a_later_batch_is_the_failure_of_all(void **state)
{
    (void)state;
    static char one[32 * 1024];
    const char *got = EMBED(OPENAI_HERE, .count = 300, .answers = {{.body = many_vectors(one, sizeof one, 256, 0)}, {.status = 401, .body = "{}"}});
    assert_contains(got, "provider_auth: The model's provider does not accept the server's key.\n");
    static char other[32 * 1024] = "{\"data\":[";
    for (int i = 0; i < 44; i++) /* of another size than those of the first */
        (void)snprintf(other + strlen(other), sizeof other - strlen(other), "{\"index\":%d,\"embedding\":[1,2,3]}%s", i, i < 43 ? "," : "]}");
    got = EMBED(OPENAI_HERE, .count = 300, .answers = {{.body = one}, {.body = other}});
    assert_contains(got, "something else than one vector for each text.\n");
}

static void azure_has_the_deployment_in_the_path(void **state)
{
    (void)state;
    const char *got = EMBED(.environment = {"EMBEDDING_MODEL=azure/my deploy/1", "AZURE_API_BASE=http://127.0.0.1:%d/", "AZURE_API_KEY=az", "AZURE_API_VERSION=2024-10-21"}, TWO,
                            SAYS("{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[1,0]}]}"));
    assert_contains(got, "azure/my deploy/1[0.6 0.8][1 0]\n--\nPOST /openai/deployments/my%20deploy%2F1/embeddings?api-version=2024-10-21 [api-key: az]\n");
}

/* As chat does (wire_openai.c): the dated path needs a version. */
static void azure_without_a_version_is_asked_by_its_new_api(void **state)
{
    (void)state;
    const char *got = EMBED(.environment = {"EMBEDDING_MODEL=azure/small", "AZURE_API_BASE=http://127.0.0.1:%d", "AZURE_API_KEY=az"}, TWO,
                            SAYS("{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[1,0]}]}"));
    assert_contains(got, "\nPOST /openai/v1/embeddings [api-key: az]\n{\"model\":\"small\",");
}

static void ollama_gives_a_plain_list(void **state)
{
    (void)state;
    const char *got = EMBED(.environment = {"EMBEDDING_MODEL=ollama/nomic-embed-text", "OLLAMA_HOST=127.0.0.1:%d"}, TWO, SAYS("{\"embeddings\":[[3,4],[1,0]],\"prompt_eval_count\":2}"));
    assert_string_equal(got, "ollama/nomic-embed-text[0.6 0.8][1 0]\n--\nPOST /api/embed\n{\"model\":\"nomic-embed-text\",\"input\":[\"one\",\"two\"]}\n");
}

static void gemini_is_asked_for_a_batch(void **state)
{
    (void)state;
    struct one one = {.run = embed, .environment = {"EMBEDDING_MODEL=gemini/gemini-embedding-001", "GEMINI_API_BASE=http://127.0.0.1:%d", "GEMINI_API_KEY=goog"}, TWO,
                      SAYS("{\"embeddings\":[{\"values\":[3,4]},{\"values\":[1,0]}]}")};
    assert_string_equal(outcome_of(one), "gemini/gemini-embedding-001[0.6 0.8][1 0]\n--\nPOST /v1beta/models/gemini-embedding-001:batchEmbedContents [x-goog-api-key: goog]\n"
                                         "{\"requests\":[{\"model\":\"models/gemini-embedding-001\",\"content\":{\"parts\":[{\"text\":\"one\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\"},"
                                         "{\"model\":\"models/gemini-embedding-001\",\"content\":{\"parts\":[{\"text\":\"two\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\"}]}\n");
    one.purpose = EMBED_QUESTION;
    assert_contains(outcome_of(one), "\"taskType\":\"RETRIEVAL_QUERY\"");
}

#define COHERE_HERE .environment = {"EMBEDDING_MODEL=cohere/embed-v4.0", "COHERE_API_BASE=http://127.0.0.1:%d", "COHERE_API_KEY=co"}

static void cohere_gives_lists_by_type(void **state)
{
    (void)state;
    const char *got = EMBED(COHERE_HERE, TWO, SAYS("{\"embeddings\":{\"float\":[[3,4],[1,0]]},\"meta\":{}}"));
    assert_string_equal(got, "cohere/embed-v4.0[0.6 0.8][1 0]\n--\nPOST /v2/embed [Authorization: Bearer co]\n"
                             "{\"model\":\"embed-v4.0\",\"texts\":[\"one\",\"two\"],\"input_type\":\"search_document\",\"embedding_types\":[\"float\"]}\n");
    assert_contains(EMBED(COHERE_HERE, TWO, .purpose = EMBED_QUESTION, SAYS("{\"embeddings\":{\"float\":[[3,4],[1,0]]}}")), "\"input_type\":\"search_query\"");
}

static void cohere_may_give_a_plain_list(void **state)
{
    (void)state;
    assert_contains(EMBED(COHERE_HERE, TWO, SAYS("{\"embeddings\":[[3,4],[1,0]]}")), "cohere/embed-v4.0[0.6 0.8][1 0]\n");
}

#define BEDROCK_HERE(model) .environment = {"EMBEDDING_MODEL=bedrock/" model, "EMBEDDING_BASE_URL=http://127.0.0.1:%d", "AWS_BEARER_TOKEN_BEDROCK=bear"}

static void titan_takes_one_text_at_a_time(void **state)
{
    (void)state;
    const char *got = EMBED(BEDROCK_HERE("amazon.titan-embed-text-v2:0"), TWO, .answers = {{.body = "{\"embedding\":[3,4],\"inputTextTokenCount\":1}"}, {.body = "{\"embedding\":[1,0]}"}});
    assert_string_equal(got, "bedrock/amazon.titan-embed-text-v2:0[0.6 0.8][1 0]\n--\n"
                             "POST /model/amazon.titan-embed-text-v2%3A0/invoke [Authorization: Bearer bear]\n{\"inputText\":\"one\"}\n"
                             "POST /model/amazon.titan-embed-text-v2%3A0/invoke [Authorization: Bearer bear]\n{\"inputText\":\"two\"}\n");
}

static void cohere_at_bedrock_has_the_model_in_the_path(void **state)
{
    (void)state;
    const char *got = EMBED(BEDROCK_HERE("cohere.embed-english-v3"), TWO, SAYS("{\"embeddings\":{\"float\":[[3,4],[1,0]]}}"));
    assert_string_equal(got, "bedrock/cohere.embed-english-v3[0.6 0.8][1 0]\n--\nPOST /model/cohere.embed-english-v3/invoke [Authorization: Bearer bear]\n"
                             "{\"texts\":[\"one\",\"two\"],\"input_type\":\"search_document\",\"embedding_types\":[\"float\"]}\n");
    assert_contains(EMBED(BEDROCK_HERE("us.cohere.embed-v4:0"), TWO, SAYS("{\"embeddings\":[[3,4],[1,0]]}")), "bedrock/us.cohere.embed-v4:0[0.6 0.8][1 0]\n");
}

static void bedrock_can_be_signed(void **state)
{
    (void)state;
    const char *got = EMBED(.environment = {"EMBEDDING_MODEL=bedrock/amazon.titan-embed-text-v2:0", "EMBEDDING_BASE_URL=http://127.0.0.1:%d", "AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=AK",
                                            "AWS_SECRET_ACCESS_KEY=s"}, .texts = {"one"}, SAYS("{\"embedding\":[3,4]}"));
    assert_contains(got, "[0.6 0.8]\n");
    assert_contains(got, "[Authorization: AWS4-HMAC-SHA256 Credential=AK/");
    assert_contains(got, "/eu-west-1/bedrock/aws4_request");
}

static void tei_gives_a_bare_list(void **state)
{
    (void)state;
    const char *got = EMBED(.environment = {"EMBEDDING_MODEL=tei/BAAI/bge-m3", "EMBEDDING_BASE_URL=http://127.0.0.1:%d"}, TWO, SAYS("[[3,4],[1,0]]"));
    assert_string_equal(got, "tei/BAAI/bge-m3[0.6 0.8][1 0]\n--\nPOST /embed\n{\"inputs\":[\"one\",\"two\"],\"normalize\":true,\"truncate\":true}\n");
}

static void some_want_to_know_what_a_text_is_for(void **state)
{
    (void)state;
    static const char list[] = "{\"data\":[{\"index\":0,\"embedding\":[3,4]}]}";
    assert_contains(EMBED(.environment = {"EMBEDDING_MODEL=voyage/voyage-3.5", "EMBEDDING_BASE_URL=http://127.0.0.1:%d"}, .texts = {"one"}, SAYS(list)), "\"input_type\":\"document\"");
    assert_contains(EMBED(.environment = {"EMBEDDING_MODEL=voyage/voyage-3.5", "EMBEDDING_BASE_URL=http://127.0.0.1:%d"}, .texts = {"one"}, .purpose = EMBED_QUESTION, SAYS(list)), "\"input_type\":\"query\"");
    assert_contains(EMBED(.environment = {"EMBEDDING_MODEL=nvidia_nim/x", "EMBEDDING_BASE_URL=http://127.0.0.1:%d"}, .texts = {"one"}, SAYS(list)), "\"input_type\":\"passage\"");
    assert_lacks(EMBED(OPENAI_HERE, .texts = {"one"}, .purpose = EMBED_QUESTION, SAYS(list)), "input_type");
}

/* --- vectors ------------------------------------------------------------------------------------------------------------------------------ */

#define SENTENCE "provider_error: The embedding provider sent something else than one vector for each text.\n"

static void what_is_no_vector_for_each_text_is_refused(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]}]}",                                                                            /* one too few */
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[3,4]},{\"index\":2,\"embedding\":[3,4]}]}",        /* one too many */
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[3,4,5]}]}",                                        /* sizes differ */
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":2,\"embedding\":[1,0]}]}",                                          /* index out of range */
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":\"AACAPwAAAAA=\"}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},null]}",
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[NaN,1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[1,Infinity]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[1,1e999]}]}",
        "{\"data\":{}}", "{}", "[]", "[[3,4],[1,0]]",
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const char *got = EMBED(OPENAI_HERE, TWO, SAYS(answers[i]));
        assert_ptr_equal(strstr(got, SENTENCE), got);
    }
}

static void texts_in_a_vector_are_refused(void **state)
{
    (void)state;
    static const char *const vectors[] = {"[\"a\",\"b\"]", "[\"0.6\",\"0.8\"]", "[null,1]", "[true,false]", "[[1],[2]]", "[{},1]"};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char answer[100];
        (void)snprintf(answer, sizeof answer, "{\"data\":[{\"index\":0,\"embedding\":%s}]}", vectors[i]);
        const char *got = EMBED(OPENAI_HERE, .texts = {"one"}, SAYS(answer));
        if (strstr(got, SENTENCE) == NULL)
            print_error("%s\n", answer);
        assert_ptr_equal(strstr(got, SENTENCE), got);
    }
}

static void two_vectors_of_one_text_are_refused(void **state)
{
    (void)state;
    const char *got = EMBED(OPENAI_HERE, TWO, SAYS("{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":0,\"embedding\":[1,0]}]}"));
    assert_ptr_equal(strstr(got, SENTENCE), got);
}

/* 1e300 is a number of JSON's, but none of a float's. */
static void numbers_beyond_a_float_do_not_become_nan(void **state)
{
    (void)state;
    const char *got = EMBED(OPENAI_HERE, .texts = {"one"}, SAYS("{\"data\":[{\"index\":0,\"embedding\":[1e300,1e300]}]}"));
    assert_lacks(got, "nan");
    assert_lacks(got, "of length");
}

static void a_vector_of_zeros_has_no_direction(void **state)
{
    (void)state;
    const char *got = EMBED(OPENAI_HERE, .texts = {"one"}, SAYS("{\"data\":[{\"index\":0,\"embedding\":[0,0]}]}"));
    assert_lacks(got, "nan"); /* it may be refused or stay as it is */
}

static void small_and_negative_numbers_are_made_length_one_too(void **state)
{
    (void)state;
    assert_contains(EMBED(OPENAI_HERE, .texts = {"one"}, SAYS("{\"data\":[{\"embedding\":[-0.0003,0.0004,0]}]}")), "[-0.6 0.8 0]\n");
    assert_contains(EMBED(OPENAI_HERE, .texts = {"one"}, SAYS("{\"data\":[{\"embedding\":[7]}]}")), "[1]\n");
}

/* --- failures ------------------------------------------------------------------------------------------------------------------------------- */

static size_t requests_in(const char *text)
{
    size_t count = 0;
    for (text = strstr(text, "\n--\n"); (text = strpbrk(text + 1, "\n")) != NULL && text[1] != '\0';)
        count += strncmp(text + 1, "POST ", 5) == 0 || strncmp(text + 1, "GET ", 4) == 0;
    return count;
}

static const char good_vector[] = "{\"data\":[{\"index\":0,\"embedding\":[3,4]}]}";

static void busy_servers_are_asked_again(void **state)
{
    (void)state;
    const char *got = EMBED(OPENAI_HERE, .texts = {"one"}, .answers = {{.status = 429, .body = "{\"error\":{\"message\":\"slow down\"}}"}, {.status = 503, .body = "<html>"}, {.body = good_vector}});
    assert_contains(got, "openai/small[0.6 0.8]\n");
    assert_int_equal(requests_in(got), 3);
}

static void after_all_retries_it_is_a_failure(void **state)
{
    (void)state;
    const char *got = EMBED(OPENAI_HERE, .texts = {"one"}, .answers = {{.status = 429, .body = "{}"}, {.status = 429, .body = "{}"}, {.status = 429, .body = "{}"}, {.body = good_vector}});
    assert_contains(got, "provider_busy: The model's provider is busy.");
    assert_int_equal(requests_in(got), 3);
    got = EMBED(.environment = {"EMBEDDING_MODEL=openai/small", "EMBEDDING_BASE_URL=http://127.0.0.1:%d/v1", "RETRIES=0"}, .texts = {"one"},
                .answers = {{.status = 500, .body = "{}"}, {.body = good_vector}});
    assert_contains(got, "provider_error: ");
    assert_int_equal(requests_in(got), 1);
}

static void other_refusals_are_final(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body, *wanted;
    } rows[] = {
        {401, "{\"error\":{\"message\":\"bad key\"}}", "provider_auth: The model's provider does not accept"},
        {402, "{}", "has no credit left."},
        {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", "has no credit left."},
        {400, "{\"error\":{\"message\":\"no such model\"}}", "provider_error: The model's provider reports: no such model"},
        {413, "{\"error\":\"batch size 3 > maximum allowed batch size 2\",\"error_type\":\"Validation\"}", "provider_error: The model's provider reports: batch size 3"},
        {422, "{\"error\":\"`inputs` cannot be empty\",\"error_type\":\"Tokenization\"}", "provider_error: The model's provider reports: `inputs` cannot be empty"},
        {307, "moved", "provider_error: The model's provider reports: it answers with a redirect"},
        {200, "no json", "provider_error: The provider sent an answer that is not JSON."},
        {200, "", "provider_error: The provider sent an answer that is not JSON."},
        {200, "5", "provider_error: The provider sent an answer that is not JSON."},
        {200, "{\"data\":[{\"index\":0,", "provider_error: The provider sent an answer that is not JSON."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *got = EMBED(OPENAI_HERE, .texts = {"one"}, .answers = {{.status = rows[i].status, .body = rows[i].body}, {.body = good_vector}});
        assert_contains(got, rows[i].wanted);
        assert_int_equal(requests_in(got), 1);
    }
}

static void x_should_retry_decides(void **state)
{
    (void)state;
    const char *got = EMBED(OPENAI_HERE, .texts = {"one"}, .answers = {{.status = 500, .body = "{}", .headers = "x-should-retry: false\r\n"}, {.body = good_vector}});
    assert_int_equal(requests_in(got), 1);
    got = EMBED(OPENAI_HERE, .texts = {"one"}, .answers = {{.status = 400, .body = "{}", .headers = "x-should-retry: true\r\n"}, {.body = good_vector}});
    assert_contains(got, "[0.6 0.8]\n");
}

static void a_server_that_is_not_there_cannot_be_reached(void **state)
{
    (void)state;
    assert_contains(EMBED(.environment = {"EMBEDDING_MODEL=openai/small", "EMBEDDING_BASE_URL=http://127.0.0.1:1/v1"}, .texts = {"one"}), "provider_unreachable: ");
}

static void without_a_model_or_its_embeddings_nobody_is_asked(void **state)
{
    (void)state;
    assert_string_equal(EMBED(.texts = {"one"}), "invalid_field: No embedding model is set: EMBEDDING_MODEL names one.\n--\n");
    assert_contains(EMBED(.texts = {"one"}, .environment = {"EMBEDDING_MODEL=anthropic/claude-opus-5"}), "The provider anthropic has no embeddings.\n--\n");
    assert_contains(EMBED(.texts = {"one"}, .environment = {"EMBEDDING_MODEL=opnai/small"}), "There is no provider called \"opnai\".");
    assert_contains(EMBED(.texts = {"one"}, .environment = {"EMBEDDING_MODEL=bedrock/amazon.titan-embed-text-v2:0", "AWS_BEARER_TOKEN_BEDROCK=b"}), "needs AWS_REGION to be set");
}

static void no_texts_are_no_vectors(void **state)
{
    (void)state;
    assert_string_equal(EMBED(OPENAI_HERE), "openai/small\n--\n");
}

/* The call number n of the allocator fails, for each n until all goes well. */
static void embed_without_memory(FILE *out, const struct one *one)
{
    bool failed = catalogue_count() > 0; /* read before: it is read once */
    int told = 0;
    for (long calls = 0; failed && calls < 500; calls++) {
        struct embed_result result;
        struct failure failure = {0};
        mem_fail_after(calls);
        enum outcome outcome = embed_texts(one->texts, 2, EMBED_DOCUMENT, &result, &failure);
        mem_fail_after(-1);
        failed = outcome != OUTCOME_OK;
        told += outcome == OUTCOME_NO_MEMORY;
        if (failed && outcome != OUTCOME_NO_MEMORY)
            (void)fprintf(out, "call %ld: %s: %s\n", calls, outcome_code(outcome), failure.message);
        if (failed ? result.vectors != NULL : result.size != 2)
            (void)fprintf(out, "call %ld: the result is not what the outcome says\n", calls);
        mem_free(result.vectors);
    }
    (void)fprintf(out, "%s", failed ? "it never goes well" : told > 0 ? "told" : "never told");
}

static void without_memory_it_fails_with_that_sentence(void **state)
{
    (void)state;
    const char *got = outcome_of((struct one){.run = embed_without_memory, OPENAI_HERE, TWO,
                                              .answers = {{.body = "{\"data\":[{\"index\":0,\"embedding\":[3,4]},{\"index\":1,\"embedding\":[1,0]}]}", .again = true}}});
    if (strstr(got, "told\n--\n") != got)
        print_error("%.2000s\n", got);
    assert_ptr_equal(strstr(got, "told\n--\n"), got);
}

/* --- fetching ----------------------------------------------------------------------------------------------------------------------------------- */

static void fetch(FILE *out, const struct one *one)
{
    struct provider provider;
    struct failure failure = {0};
    json_object *reply = NULL, *body = one->texts[0] != NULL ? json_object_new_object() : NULL;
    enum outcome outcome = provider_find(NULL, &provider, &failure);
    if (outcome == OUTCOME_OK)
        outcome = fetch_json(&provider, "/thing?a=b", body, 300, &reply, &failure);
    (void)fprintf(out, "%s: %s", outcome_code(outcome), outcome == OUTCOME_OK ? json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN) : failure.message);
    json_object_put(reply);
    json_object_put(body);
}

#define FETCH(...) outcome_of((struct one){.run = fetch, .environment = {"LLM_BASE_URL=http://127.0.0.1:%d/v1", "LLM_MODEL=m", "OPENAI_API_KEY=sk-1"}, __VA_ARGS__})

static void a_get_has_no_body_and_is_not_repeated(void **state)
{
    (void)state;
    assert_contains(FETCH(SAYS("{\"a\":[1]}")), ": {\"a\":[1]}\n--\nGET /v1/thing?a=b [Authorization: Bearer sk-1]\n\n");
    const char *got = FETCH(.answers = {{.status = 503, .body = "{}"}, {.body = "{}"}});
    assert_contains(got, "provider_busy: ");
    assert_int_equal(requests_in(got), 1);
}

static void a_post_is_repeated_with_the_same_body(void **state)
{
    (void)state;
    assert_contains(FETCH(.texts = {"post"}, .answers = {{.status = 503, .body = "{}"}, {.body = "[1,2]"}}),
                    ": [1,2]\n--\nPOST /v1/thing?a=b [Authorization: Bearer sk-1]\n{}\nPOST /v1/thing?a=b [Authorization: Bearer sk-1]\n{}\n");
}

/* --- checking -------------------------------------------------------------------------------------------------------------------------------------- */

static void check(FILE *out, const struct one *one)
{
    (void)one;
    struct failure failure = {0};
    enum outcome outcome = provider_check(NULL, 2000, &failure);
    (void)fprintf(out, "%s", outcome == OUTCOME_OK ? "good" : failure.message);
}

#define CHECK(...) outcome_of((struct one){.run = check, .environment = {"LLM_BASE_URL=http://127.0.0.1:%d/v1", "LLM_MODEL=m", "OPENAI_API_KEY=sk-1"}, __VA_ARGS__})

static void a_provider_is_checked_by_its_list_of_models(void **state)
{
    (void)state;
    assert_string_equal(CHECK(SAYS("{\"data\":[]}")), "good\n--\nGET /v1/models [Authorization: Bearer sk-1]\n\n");
    assert_contains(CHECK(.answers = {{.status = 404, .body = "{}"}}), "good\n"); /* a server without a list is a server */
    assert_contains(CHECK(.answers = {{.status = 405, .body = "{}"}}), "good\n");
    assert_contains(CHECK(.answers = {{.status = 401, .body = "{}"}}), "does not accept the server's key");
    assert_contains(CHECK(.answers = {{.status = 500, .body = "{}"}}), "The model's provider failed.");
}

static void what_cannot_be_reached_fails_the_check(void **state)
{
    (void)state;
    assert_contains(outcome_of((struct one){.run = check, .environment = {"LLM_BASE_URL=http://127.0.0.1:1/v1"}}), "cannot be reached");
    assert_contains(outcome_of((struct one){.run = check}), "good\n"); /* the demo */
}

/* --- lists of models --------------------------------------------------------------------------------------------------------------------------------- */

static void list(FILE *out, const struct one *one)
{
    size_t calls = one->count > 0 ? one->count : 1;
    for (size_t call = 0; call < calls; call++) {
        json_object *models = model_list();
        for (size_t i = 0; i < json_object_array_length(models); i++) {
            json_object *row = json_object_array_get_idx(models, i);
            const char *id = json_object_get_string(json_object_object_get(row, "id")), *provider = json_object_get_string(json_object_object_get(row, "provider"));
            (void)fprintf(out, "%s%s", i > 0 ? " " : "", id);
            if (strncmp(id, provider, strlen(provider)) != 0 || id[strlen(provider)] != '/' || json_object_object_length(row) != 2)
                (void)fprintf(out, "(%s)", json_object_to_json_string(row));
        }
        (void)fprintf(out, "%s", call + 1 < calls ? "; " : "");
        json_object_put(models);
    }
}

#define LIST(...) outcome_of((struct one){.run = list, __VA_ARGS__})
#define CONFIGURED_HERE .environment = {"LLM_BASE_URL=http://127.0.0.1:%d/v1", "LLM_MODEL=openai/mine", "OPENAI_API_KEY=sk-1"}

static void the_configured_model_comes_first_then_what_its_provider_has(void **state)
{
    (void)state;
    assert_string_equal(LIST(CONFIGURED_HERE, SAYS("{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"mine\"},{\"id\":\"b/c\"},{\"id\":\"a\"}]}")),
                        "openai/mine openai/a openai/b/c\n--\nGET /v1/models [Authorization: Bearer sk-1]\n\n");
}

static void lists_come_in_many_shapes(void **state)
{
    (void)state;
    static const char *const shapes[] = {"{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "[{\"id\":\"a\"},{\"id\":\"b\"}]", "{\"models\":[{\"name\":\"a\",\"model\":\"a\"},{\"name\":\"b\"}]}",
                                         "{\"models\":[{\"name\":\"models/a\"},{\"name\":\"models/b\"}],\"nextPageToken\":\"x\"}", "{\"data\":[{\"model_id\":\"a\"},{\"model_id\":\"b\"}]}",
                                         "{\"data\":null,\"models\":[{\"id\":\"a\"},5,null,{\"id\":7},{},\"x\",{\"id\":\"\"},{\"id\":\"b\"}]}"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        assert_contains(LIST(CONFIGURED_HERE, SAYS(shapes[i])), "openai/mine openai/a openai/b\n");
}

static void what_is_no_list_leaves_the_configured_one(void **state)
{
    (void)state;
    static const char *const answers[] = {"{}", "[]", "{\"data\":{}}", "no json", "{\"data\":[1,2]}"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        assert_contains(LIST(CONFIGURED_HERE, SAYS(answers[i])), "openai/mine\n");
}

static void gemini_and_ollama_have_lists_of_their_own(void **state)
{
    (void)state;
    assert_string_equal(LIST(.environment = {"LLM_MODEL=gemini/g", "GEMINI_API_BASE=http://127.0.0.1:%d", "GEMINI_API_KEY=goog"},
                             SAYS("{\"models\":[{\"name\":\"models/gemini-x\",\"displayName\":\"X\"}]}")), "gemini/g gemini/gemini-x\n--\nGET /v1beta/models [x-goog-api-key: goog]\n\n");
    assert_string_equal(LIST(.environment = {"LLM_MODEL=ollama/qwen3:8b", "OLLAMA_HOST=127.0.0.1:%d"}, SAYS("{\"models\":[{\"name\":\"qwen3:8b\"},{\"name\":\"llama3:latest\"}]}")),
                        "ollama/qwen3:8b ollama/llama3:latest\n--\nGET /api/tags\n\n");
}

static void fallbacks_come_second_and_once(void **state)
{
    (void)state;
    const char *got = LIST(.environment = {"LLM_BASE_URL=http://127.0.0.1:%d/v1", "LLM_MODEL=openai/mine", "LLM_FALLBACKS= openai/second,, third\t, openai/mine ,"}, SAYS("{\"data\":[{\"id\":\"third\"}]}"));
    assert_contains(got, "openai/mine openai/second openai/third\n");
}

#define THREE .environment = {"LLM_BASE_URL=http://127.0.0.1:%d/v1", "LLM_MODEL=openai/mine", "OPENAI_API_KEY=sk-1", "GROQ_API_BASE=http://127.0.0.1:%d/groq", "GROQ_API_KEY=g", \
                              "MISTRAL_API_BASE=http://127.0.0.1:%d/mistral", "MISTRAL_API_KEY=m", "XAI_API_BASE=http://127.0.0.1:%d/xai"}

static void all_that_are_set_up_are_asked(void **state)
{
    (void)state;
    const char *got = LIST(THREE, .answers = {{.path = "/mistral", .body = "{\"data\":[{\"id\":\"m1\"}]}"}, {.path = "/groq", .body = "{\"data\":[{\"id\":\"g1\"}]}"}, {.path = "/v1", .body = "[{\"id\":\"o1\"}]"}});
    assert_contains(got, "openai/mine openai/o1 groq/g1 mistral/m1\n");
    assert_contains(got, "GET /groq/models [Authorization: Bearer g]\n");
    assert_contains(got, "GET /mistral/models [Authorization: Bearer m]\n");
    assert_int_equal(requests_in(got), 3); /* xAI has no key */
}

static void a_provider_that_fails_is_left_out(void **state)
{
    (void)state;
    assert_contains(LIST(THREE, .answers = {{.path = "/mistral", .body = "{\"data\":[{\"id\":\"m1\"}]}"}, {.path = "/groq", .status = 500, .body = "{}"}, {.path = "/v1", .status = 401, .body = "{}"}}),
                    "openai/mine mistral/m1\n");
}

static void within_ten_minutes_nobody_is_asked_again(void **state)
{
    (void)state;
    const char *got = LIST(CONFIGURED_HERE, .count = 3, .answers = {{.body = "[{\"id\":\"a\"}]"}, {.body = "[{\"id\":\"other\"}]"}});
    assert_contains(got, "openai/mine openai/a; openai/mine openai/a; openai/mine openai/a\n");
    assert_int_equal(requests_in(got), 1);
}

static void the_demo_is_listed_without_asking_anybody(void **state)
{
    (void)state;
    assert_string_equal(LIST(.count = 1), "demo/demo\n--\n");
}

static void providers_of_embeddings_and_second_names_are_not_asked(void **state)
{
    (void)state;
    const char *got = LIST(.environment = {"LLM_MODEL=demo", "OLLAMA_API_BASE=http://127.0.0.1:%d/ollama", "COHERE_API_BASE=http://127.0.0.1:%d/cohere", "COHERE_API_KEY=co"},
                           .answers = {{.path = "/ollama", .body = "{\"models\":[{\"name\":\"l\"}]}"}, {.path = "/cohere", .body = "{\"models\":[{\"name\":\"c\"}]}"}});
    assert_contains(got, "demo/demo ollama/l cohere/c\n");
    assert_int_equal(requests_in(got), 2);
}

/* "anthropic" knows a second way to show a key. */
static void a_bearer_token_is_enough_to_be_asked(void **state)
{
    (void)state;
    assert_string_equal(LIST(.environment = {"LLM_MODEL=demo", "ANTHROPIC_BASE_URL=http://127.0.0.1:%d", "ANTHROPIC_AUTH_TOKEN=tok"}, SAYS("{\"data\":[{\"type\":\"model\",\"id\":\"claude-x\"}]}")),
                        "demo/demo anthropic/claude-x\n--\nGET /v1/models [Authorization: Bearer tok]\n\n");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(openai_gives_vectors_in_any_order),
    cmocka_unit_test(without_an_index_the_order_is_that_of_the_list),
    cmocka_unit_test(more_texts_than_a_batch_are_more_requests),
    cmocka_unit_test(a_failure_of_a_later_batch_is_the_failure_of_all),
    cmocka_unit_test(azure_has_the_deployment_in_the_path),
    cmocka_unit_test(azure_without_a_version_is_asked_by_its_new_api),
    cmocka_unit_test(ollama_gives_a_plain_list),
    cmocka_unit_test(gemini_is_asked_for_a_batch),
    cmocka_unit_test(cohere_gives_lists_by_type),
    cmocka_unit_test(cohere_may_give_a_plain_list),
    cmocka_unit_test(titan_takes_one_text_at_a_time),
    cmocka_unit_test(cohere_at_bedrock_has_the_model_in_the_path),
    cmocka_unit_test(bedrock_can_be_signed),
    cmocka_unit_test(tei_gives_a_bare_list),
    cmocka_unit_test(some_want_to_know_what_a_text_is_for),
    cmocka_unit_test(what_is_no_vector_for_each_text_is_refused),
    cmocka_unit_test(texts_in_a_vector_are_refused),
    cmocka_unit_test(two_vectors_of_one_text_are_refused),
    cmocka_unit_test(numbers_beyond_a_float_do_not_become_nan),
    cmocka_unit_test(a_vector_of_zeros_has_no_direction),
    cmocka_unit_test(small_and_negative_numbers_are_made_length_one_too),
    cmocka_unit_test(busy_servers_are_asked_again),
    cmocka_unit_test(after_all_retries_it_is_a_failure),
    cmocka_unit_test(other_refusals_are_final),
    cmocka_unit_test(x_should_retry_decides),
    cmocka_unit_test(a_server_that_is_not_there_cannot_be_reached),
    cmocka_unit_test(without_a_model_or_its_embeddings_nobody_is_asked),
    cmocka_unit_test(no_texts_are_no_vectors),
    cmocka_unit_test(without_memory_it_fails_with_that_sentence),
    cmocka_unit_test(a_get_has_no_body_and_is_not_repeated),
    cmocka_unit_test(a_post_is_repeated_with_the_same_body),
    cmocka_unit_test(a_provider_is_checked_by_its_list_of_models),
    cmocka_unit_test(what_cannot_be_reached_fails_the_check),
    cmocka_unit_test(the_configured_model_comes_first_then_what_its_provider_has),
    cmocka_unit_test(lists_come_in_many_shapes),
    cmocka_unit_test(what_is_no_list_leaves_the_configured_one),
    cmocka_unit_test(gemini_and_ollama_have_lists_of_their_own),
    cmocka_unit_test(fallbacks_come_second_and_once),
    cmocka_unit_test(all_that_are_set_up_are_asked),
    cmocka_unit_test(a_provider_that_fails_is_left_out),
    cmocka_unit_test(within_ten_minutes_nobody_is_asked_again),
    cmocka_unit_test(the_demo_is_listed_without_asking_anybody),
    cmocka_unit_test(providers_of_embeddings_and_second_names_are_not_asked),
    cmocka_unit_test(a_bearer_token_is_enough_to_be_asked),
};

UNIT_MAIN(tests)

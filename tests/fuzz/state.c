/*
 * A fuzz target: an application's state with its signature, src/chat/state.h. What was signed is found good, for its user and conversation and nobody else, also after a client has
 * written the JSON anew; the canonical form stays what it is.
 */
#include "../../src/chat/state.h"
#include "fuzz.h"

static void check_form(json_object *state)
{
    struct buf form, again;
    const char *why = NULL;
    buf_init(&form, SIZE_MAX / 4);
    buf_init(&again, SIZE_MAX / 4);
    if (state_write(&form, state)) {
        json_object *read = json_read(form.data, form.len, &why);
        insist(why == NULL && state_write(&again, read) && strcmp(form.data, again.data) == 0);
        json_object_put(read);
    }
    buf_free(&form);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    settings.secret_key = "a key of the fuzzer's own";
    const uint8_t *at = data + 1;
    size_t left = size - 1;
    const char *why = NULL;
    char *brought = fuzz_line(&at, &left), *text = fuzz_bytes(at, left), signature[SIGN_BYTES];
    json_object *state = json_read(text, left, &why);
    if (why == NULL && state != NULL) {
        struct failure failure = {0};
        check_form(state);
        enum outcome outcome = state_sign("ann", "c1", state, signature, &failure);
        fuzz_check_failure(outcome, &failure);
        if (outcome == OUTCOME_OK) {
            json_object *anew = json_read(json_write(state), strlen(json_write(state)), &why);
            insist(why == NULL && state_check("ann", "c1", anew, signature, &failure) == OUTCOME_OK);
            insist(state_check("bob", "c1", state, signature, &failure) == OUTCOME_BAD_REQUEST && state_check("ann", "c2", state, signature, &failure) == OUTCOME_BAD_REQUEST);
            insist(strcmp(brought, signature) == 0 || state_check("ann", "c1", state, brought, &failure) == OUTCOME_BAD_REQUEST);
            signature[data[0] % (SIGN_BYTES - 2)] ^= 1;
            insist(state_check("ann", "c1", state, signature, &failure) == OUTCOME_BAD_REQUEST);
            json_object_put(anew);
        }
    }
    json_object_put(state);
    free(brought);
    free(text);
    return 0;
}

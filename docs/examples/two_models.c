/*
 * Two models for one answer: a small one drafts, the configured one writes what the user reads. Meanwhile the client sees what is being done.
 */
#include "parley.h"

/* What is done, as the client shows it: a list with marks. */
static bool mark(struct parley_chat *chat, const char *id, const char *status)
{
    return parley_plan_item(chat, id, id[0] == 'd' ? "Draft an answer" : "Write it well", status, NULL);
}

/* How many answers this conversation has had. The state is stored with each answer, and goes with the branch that it is in. */
static bool count_turn(struct parley_chat *chat)
{
    int turns = json_object_get_int(json_object_object_get(parley_state(chat), "turns")) + 1; /* 0 when there is none yet */
    json_object *state = json_object_new_object();
    json_object_object_add(state, "turns", json_object_new_int(turns));
    return parley_set_state(chat, state) && parley_live_update(chat, "count", true, "Counted", turns == 1 ? "Our first turn" : "We go on");
}

static void answer(struct parley_chat *chat)
{
    static const char small_model[] = "openai/gpt-4o-mini"; /* provider/model, as in LLM_MODEL */

    if (!count_turn(chat) || !mark(chat, "draft", "in_progress") || !mark(chat, "final", "pending") || !parley_live_update(chat, "draft", false, "Drafting", NULL))
        return;

    /* A question beside the conversation: nobody sees the answer but us. Without a draft there is still the other model. */
    char *draft = parley_ask(chat, small_model, "Draft an answer in note form.", parley_message(chat));
    mark(chat, "draft", draft != NULL ? "completed" : "failed");
    parley_live_update(chat, "draft", true, draft != NULL ? "Drafted" : "No draft", NULL);
    if (draft != NULL) {
        parley_reference(chat, "Draft", draft, NULL);
        parley_systemf(chat, "Notes for your answer, from a colleague who may be wrong:\n%s", draft);
        parley_free(draft);
    }

    if (mark(chat, "final", "in_progress") && parley_answer(chat, NULL))
        mark(chat, "final", "completed");
}

int main(int argc, char **argv)
{
    static const struct parley_app app = {.name = "two_models", .chat = answer};
    return parley_main(argc, argv, &app);
}

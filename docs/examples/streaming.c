/*
 * A chat that streams: a system prompt, what was said before, the new message, and the model's answer word by word.
 *
 * Copy it to cgi-bin/mybot.c and run `make`: that makes cgi-bin/mybot.fcgi and mybot.cgi. Which model answers, and its key, stand in .env (docs/providers.md).
 */
#include "parley.h"

/* Called for each message, on a thread of its own: it may take its time. */
static void answer(struct parley_chat *chat)
{
    /* What the model is told first. The conversation so far and the new message follow by themselves. */
    if (!parley_system(chat, "You are a friendly assistant. Keep your answers short."))
        return;

    /* Asks the model (NULL: the configured one). What it says goes to the client as it comes, and is stored. A failure is told to the client, too: here it is only logged. */
    if (!parley_answer(chat, NULL) && !parley_stopped(chat))
        parley_log("conversation %s has no answer: %s", parley_conversation(chat), parley_failure(chat));
}

int main(int argc, char **argv)
{
    static const struct parley_app app = {
        .name = "streaming",
        .chat = answer,
    };
    return parley_main(argc, argv, &app);
}

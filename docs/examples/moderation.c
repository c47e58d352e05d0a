/*
 * A chat with manners and a face of its own: rude messages are refused, the client gets an event that only this program has, and the page has other texts and colours.
 *
 * docs/applications.md says how such a program is built.
 */
#include <string.h>

#include "parley.h"

/* True when the word is in the text, in small or capital letters. */
static bool has_word(const char *text, const char *word)
{
    return strcasestr(text, word) != NULL;
}

static void answer(struct parley_chat *chat)
{
    /* The model is never asked. The client gets the sentence as an error, and the conversation keeps both. */
    if (has_word(parley_message(chat), "blockhead")) {
        parley_refuse(chat, "This message was refused. Please be polite.");
        return;
    }

    /* An event of our own: a type, and any JSON object. Clients that do not know the type pass it over. */
    json_object *mood = json_object_new_object();
    json_object_object_add(mood, "name", json_object_new_string("cheerful"));
    json_object_object_add(mood, "level", json_object_new_int(7));
    if (parley_event(chat, "mood", mood)) /* it has taken `mood`: nothing is to be freed */
        parley_answer(chat, NULL);
}

/* Settings that are otherwise than usual. Whoever runs the program can set them again, in .env or the environment. */
static const struct parley_setting settings[] = {
    {"SYSTEM_PROMPT", "Answer politely and in a few sentences."},
    {"CORS_ORIGINS", "http://localhost:3000,https://shop.example"}, /* sites whose pages may use the API */
    {NULL, NULL},
};

/* What parley.json would say (docs/theme.md); a parley.json that is there wins, member by member. */
static const char config[] =
    "{\"ui\": {\"header\": {\"title\": \"The Polite Chat\", \"subtitle\": \"an example\", \"logo\": \"🎩\"},"
    "          \"welcome_message\": \"Ask me about **manners**.\","
    "          \"starter_questions\": [\"How do I address a bishop?\", \"May I eat asparagus with my fingers?\"],"
    "          \"meta\": {\"page_title\": \"Polite\"}},"
    " \"theme\": \"theme.json\"}"; /* colours: a file beside parley.json */

int main(int argc, char **argv)
{
    static const struct parley_app app = {.name = "moderation", .settings = settings, .config = config, .chat = answer};
    return parley_main(argc, argv, &app);
}

/*
 * See app.h.
 */
#include "app.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../base/config.h"
#include "../base/limits.h"
#include "../base/log.h"
#include "../base/settings.h"
#include "../chat/making.h"
#include "../chat/titler.h"
#include "../chat/turn.h"
#include "chat.h"
#include "hook.h"

static const struct parley_app *app;

bool app_use(const struct parley_app *used)
{
    app = used;
    for (const struct parley_setting *setting = app->settings; setting != NULL && setting->name != NULL; setting++)
        if (!settings_standard(setting->name, setting->value)) {
            (void)fprintf(stderr, "%s: its default for %s is not usable\n", app->name, setting->name);
            return false;
        }
    if (app->config != NULL && !config_use(app->config)) {
        (void)fprintf(stderr, "%s: its default configuration is not usable\n", app->name);
        return false;
    }
    return true;
}

/* Makes an answer: hooks first, then the application, or without one the model. */
static enum outcome make_answer(struct making *making, struct failure *failure)
{
    struct parley_chat chat;
    chat_begin(&chat, making);
    enum outcome outcome = chat_run_hooks(&chat);
    if (outcome == OUTCOME_OK)
        titler_start(making->answer, parley_message(&chat));
    if (outcome == OUTCOME_OK && app->chat != NULL)
        app->chat(&chat);
    else if (outcome == OUTCOME_OK)
        (void)parley_answer(&chat, NULL); /* how it went is in `chat` */
    return chat_end(&chat, failure);
}

bool app_start(void)
{
    turn_use(make_answer, app->title);
    if (app->startup != NULL && !app->startup()) {
        log_error("%s does not start: its own startup function has failed", app->name);
        return false;
    }
    return true;
}

bool app_takes_files(void)
{
    return app != NULL && app->upload != NULL;
}

enum outcome app_give_feedback(const struct parley_feedback *feedback, struct failure *failure)
{
    if (app->feedback == NULL || app->feedback(feedback))
        return OUTCOME_OK;
    return fail(failure, OUTCOME_INTERNAL, "The feedback could not be taken.");
}

enum outcome app_give_file(const struct parley_file *file, struct failure *failure)
{
    if (app->upload(file))
        return OUTCOME_OK;
    return fail(failure, OUTCOME_BAD_FIELD, "\"file\" was not taken.");
}

void parley_log(const char *format, ...)
{
    char line[LIMIT_LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_info("%s", n >= 0 ? line : format);
}

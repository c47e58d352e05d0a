/*
 * The table of all addresses, and the function that serves a request by it.
 *
 * Neighbours: one file per resource beside this one, each with the handlers that the table names. A handler answers and returns OUTCOME_OK, gives the request to
 * the event loop and returns OUTCOME_DETACHED, or fills *failure, which is answered here, once.
 */
#ifndef PARLEY_ROUTES_H
#define PARLEY_ROUTES_H

#include "../http/router.h"

extern const struct route routes[];
extern const size_t route_count;

/* Serves a request and finishes it: what worker threads run. */
void routes_serve(struct request *request);

/* chat.c */
enum outcome chat_post(struct request *request, struct failure *failure);
enum outcome chat_stream_post(struct request *request, struct failure *failure);

/* conversations.c, conversation_list.c */
enum outcome conversations_list(struct request *request, struct failure *failure);
enum outcome conversations_add(struct request *request, struct failure *failure);
enum outcome conversations_get(struct request *request, struct failure *failure);
enum outcome conversations_change(struct request *request, struct failure *failure);
enum outcome conversations_delete(struct request *request, struct failure *failure);
enum outcome conversations_clear(struct request *request, struct failure *failure);
enum outcome conversations_cut(struct request *request, struct failure *failure);
enum outcome conversations_stop(struct request *request, struct failure *failure);

/* usage.c */
enum outcome usage_get(struct request *request, struct failure *failure);

/* stream.c */
enum outcome conversations_stream(struct request *request, struct failure *failure);

/* upload.c */
enum outcome upload_post(struct request *request, struct failure *failure);

/* page.c, diagnose.c, metrics.c */
enum outcome page_get(struct request *request, struct failure *failure);
enum outcome page_login_get(struct request *request, struct failure *failure);
enum outcome page_conversation_get(struct request *request, struct failure *failure);
enum outcome diagnose_stream_get(struct request *request, struct failure *failure);
enum outcome metrics_get(struct request *request, struct failure *failure);

/* ragbits.c */
enum outcome ragbits_chat_post(struct request *request, struct failure *failure);
enum outcome ragbits_feedback_post(struct request *request, struct failure *failure);
enum outcome ragbits_user_get(struct request *request, struct failure *failure);
enum outcome ragbits_login_post(struct request *request, struct failure *failure);
enum outcome ragbits_logout_post(struct request *request, struct failure *failure);
enum outcome ragbits_oauth2_get(struct request *request, struct failure *failure);

/* completions.c, models.c, embeddings.c: OpenAI's API */
enum outcome completions_post(struct request *request, struct failure *failure);
enum outcome completions_pieces_post(struct request *request, struct failure *failure);
enum outcome models_list(struct request *request, struct failure *failure);
enum outcome models_get(struct request *request, struct failure *failure);
enum outcome embeddings_post(struct request *request, struct failure *failure);

/* theme.c, ui_config.c: how the page looks */
enum outcome theme_get(struct request *request, struct failure *failure);
bool theme_is_named(void); /* in parley.json */
void theme_allow_file(void); /* in the sandbox (base/sandbox.h): a theme is read again when it has changed */
enum outcome ui_config_get(struct request *request, struct failure *failure);

/* health.c */
enum outcome health_get(struct request *request, struct failure *failure);
enum outcome ready_get(struct request *request, struct failure *failure);

#endif

/*
 * The turn of turn.h: one straight path, and its endings by name.
 */
#include "turn.h"

#include <stdio.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/clock.h"
#include "../base/crash_point.h"
#include "../base/counter.h"
#include "../base/log.h"
#include "../base/mem.h"
#include "../base/settings.h"
#include "../http/address.h"
#include "../http/response.h"
#include "../store/message.h"
#include "../store/process.h"
#include "ending.h"
#include "follow.h"
#include "live.h"
#include "lost.h"
#include "making.h"
#include "mirror.h"
#include "taker.h"
#include "title.h"
#include "titler.h"

static turn_maker *make = NULL;

void turn_use(turn_maker *maker, bool (*titler)(const char *message, char *title, size_t size))
{
    make = maker;
    titler_use(titler);
}

struct turn turn_none(void)
{
    return (struct turn){
        .user_name = "",
        .address = "",
        .is_stored = true,
        .message = "",
        .metadata = "{}",
        .temperature = settings.temperature,
        .max_tokens = settings.max_tokens,
        .seed = COMPLETION_NO_SEED,
    };
}

/* The five endings (docs/turn.md); the fifth, a killed worker, is found by lost.c. A client that left changes nothing here, unless the turn stops with it. */
static const char *name_ending(enum outcome outcome, const struct answer *answer, struct failure *failure)
{
    switch (outcome) {
    case OUTCOME_OK:
        failure->outcome = OUTCOME_OK;
        return "done";
    case OUTCOME_STOPPED:
        if (atomic_load(&answer->stop_why) == STOP_SHUTDOWN) {
            (void)fail(failure, answer->opened ? OUTCOME_INTERRUPTED : OUTCOME_OVERLOADED, "The server was stopped while this answer was being written.");
            return "interrupted";
        }
        failure->outcome = OUTCOME_OK;
        return "stopped";
    case OUTCOME_INTERRUPTED:
        return "interrupted";
    default:
        return "error";
    }
}

/* Stores the end. A database that is busy or full is given some time; after that the keeper goes on trying, because the answer exists nowhere else, and
   the client is told. */
static void store_end(struct answer *answer, struct ending *ending)
{
    enum { TRIES = 5, PAUSE_MS = 500 };
    struct failure trouble;
    for (int i = 1; i <= TRIES; i++) {
        if (ending_store(answer, ending, &trouble) == OUTCOME_OK)
            return;
        if (atomic_load(&answer->stop_why) == STOP_SHUTDOWN)
            break; /* there is no time: the keeper makes the last try */
        if (i < TRIES)
            clock_sleep_ms(PAUSE_MS);
    }
    log_error("the end of answer %s cannot be stored yet: %s", answer->id, trouble.message);
    live_keep(answer, ending);
    ending->failure = trouble;
    ending->status = "error";
}

/* Without what an answer needs, all that can be done is to store that it failed; why is in *failure. */
static enum outcome refuse_answer(const struct message_begin *begin, const struct failure *failure)
{
    struct failure trouble;
    if (begin->conversation[0] != '\0' && message_give_up(begin->answer, process_id(), failure, &trouble) != OUTCOME_OK)
        log_error("that answer %s cannot be made could not be stored: %s", begin->answer, trouble.message);
    return failure->outcome;
}

static void count(const struct answer *answer, const struct ending *ending)
{
    counter_answer(ending->status);
    counter_tokens(&ending->used_now);
    counter_time(COUNTER_ANSWER_TIME, clock_mono_ms() - answer->begun_ms);
    if (ending->failure.outcome != OUTCOME_OK)
        counter_answer_failure(ending->failure.outcome);
}

/* Has the answer made, and names how that ended. `mirror` has what an answer was that goes on; NULL: it is new. */
static void run(const struct turn *turn, const struct message_begin *begin, const struct mirror *mirror, struct answer *answer, struct ending *ending)
{
    struct making making;
    enum outcome outcome = mirror == NULL ? making_begin(&making, turn, begin->question, answer, &ending->failure) : making_go_on(&making, turn, mirror, &ending->failure);
    if (outcome == OUTCOME_OK)
        outcome = make(&making, &ending->failure);
    ending->status = name_ending(outcome, answer, &ending->failure);
    making_end(&making, ending);
    if (mirror != NULL)
        usage_add_up(&ending->usage, &mirror->usage);
    making_free(&making);
}

/* A new answer. NULL: out of memory. */
static struct answer *new_answer(const struct turn *turn, const struct message_begin *begin)
{
    struct answer_birth birth = {
        .user = turn->user,
        .conversation = turn->is_stored ? begin->conversation : "",
        .id = begin->answer,
        .model = begin->model,
        .title = turn->is_stored && begin->is_new ? begin->title : NULL,
        .client_id = turn->client_id,
        .stop_when_left = turn->stop_when_left,
    };
    return answer_new(&birth);
}

/* Tells the client where the stream of its answer is, and lets it go. */
static void tell_stream(struct request *request, const struct message_begin *begin)
{
    const char *prefix;
    size_t len = request_prefix(request, &prefix);
    struct buf place;
    struct failure failure;
    json_object *object = json_object_new_object();
    buf_init(&place, LIMIT_HEADER_BYTES);
    response_add_path(&place, prefix, len);
    buf_addf(&place, "/conversations/%s/stream", begin->conversation);
    json_object_object_add(object, "conversation_id", json_object_new_string(begin->conversation));
    json_object_object_add(object, "message_id", json_object_new_string(begin->answer));
    json_object_object_add(object, "stream", json_object_new_string(place.data));
    if (buf_failed(&place)) { /* the answer is made all the same */
        (void)fail_no_memory(&failure);
        response_failure(request, &failure);
    } else {
        response_header(request, "Location", place.data);
        response_header(request, "Parley-Conversation", begin->conversation);
        response_header(request, "Parley-Message", begin->answer);
        if (begin->question[0] != '\0')
            response_header(request, "Parley-Question", begin->question);
        response_json(request, 202, object);
    }
    json_object_put(object);
    buf_free(&place);
    request_finish(request);
}

/* The place among those that a process has, and a user and an address. */
struct place {
    struct taker taker;
    bool is_taken;
};

static enum outcome place_take(struct place *place, const struct turn *turn, struct failure *failure)
{
    *place = (struct place){0};
    if (!live_enter())
        return message_overloaded(failure);
    place->is_taken = taker_enter(&place->taker, turn, failure) == OUTCOME_OK;
    if (!place->is_taken)
        live_leave();
    return place->is_taken ? OUTCOME_OK : failure->outcome;
}

static void place_leave(struct place *place)
{
    if (!place->is_taken)
        return;
    taker_leave(&place->taker);
    live_leave();
    place->is_taken = false;
}

/* Makes the answer that a turn has begun with, or has it go on. The turn's place is free again when the client is told the end: it may ask the next question at once. */
static enum outcome make_answer(const struct turn *turn, const struct message_begin *begin, const struct mirror *mirror, struct place *place, struct request *request,
                                const struct listener *listener, struct failure *failure)
{
    struct answer *answer = mirror != NULL ? mirror->answer : new_answer(turn, begin);
    if (answer == NULL || (!turn->is_detached && !stream_attach(answer, request, listener))) {
        if (answer != NULL && mirror == NULL)
            answer_release(answer);
        (void)fail_no_memory(failure);
        return refuse_answer(begin, failure);
    }
    struct ending ending = {0};
    live_add(answer);
    if (turn->is_detached)
        tell_stream(request, begin); /* not before it is found in this process: its client may ask for the stream at once */
    run(turn, begin, mirror, answer, &ending);
    if (turn->is_stored)
        store_end(answer, &ending);
    count(answer, &ending);
    live_remove(answer);
    live_begin_aside(); /* the program does not end before the client has been told */
    place_leave(place);
    answer_end(answer, &ending);
    if (!turn->is_stored)
        ending_count(answer);
    live_end_aside();
    if (mirror == NULL)
        answer_release(answer);
    return OUTCOME_DETACHED;
}

/* Has an answer go on where it was cut off: with what it had in its log, which its clients are taken to have seen. */
static enum outcome go_on(const struct turn *turn, const struct message_begin *begin, struct place *place, struct request *request, struct listener *listener, struct failure *failure)
{
    struct mirror mirror;
    enum outcome outcome = mirror_read(&mirror, turn->user, begin->answer, failure);
    if (outcome == OUTCOME_OK) {
        struct answer *answer = mirror.answer;
        (void)snprintf(answer->asked_model, sizeof answer->asked_model, "%s", begin->model);
        answer->opened = false; /* a failure before anything new still has its status */
        answer_allow(answer, (size_t)settings.max_answer_bytes);
        answer->pos++; /* the place of the terminal event of before: who has had that has not had what follows, and nothing joins what was told */
        answer->journal_pos = listener->after = answer->pos;
        answer->journal_run = answer->run_count;
        answer->begun_ms = clock_mono_ms();
        answer->stop_when_left = turn->stop_when_left;
        outcome = make_answer(turn, begin, &mirror, place, request, listener, failure);
    } else {
        outcome = refuse_answer(begin, failure);
    }
    mirror_free(&mirror);
    return outcome;
}

/* Texts of the client's history as the database takes them, up to the question, which is stored by itself; what else there is (calls, results of tools) was for the model.
   To be freed with mem_free(). */
static struct message_past *past_of(const struct turn *turn, size_t *count)
{
    *count = 0;
    size_t most = turn->message_count;
    while (most > 0 && turn->messages[--most].role != COMPLETION_USER)
        continue;
    struct message_past *past = mem_new(most > 0 ? most : 1, sizeof *past);
    for (size_t i = 0; past != NULL && i < most; i++) {
        const struct completion_message *message = &turn->messages[i];
        if (message->role != COMPLETION_TOOL && message->content_len > 0)
            past[(*count)++] = (struct message_past){message->role == COMPLETION_USER ? "user" : "assistant", message->content, message->content_len};
    }
    return past;
}

/* Stores the question and the answer's beginning; of a turn that is not stored, only names the answer. */
static enum outcome store_begin(const struct turn *turn, struct message_begin *begin, struct failure *failure)
{
    /* A request that cannot be counted because of the database is answered all the same, as long as nothing is to be stored. */
    if (!turn->is_stored && rate_count(&begin->rate, failure) == OUTCOME_RATE_LIMITED)
        return OUTCOME_RATE_LIMITED;
    if (!turn->is_stored)
        return id_new(begin->answer) ? OUTCOME_OK : fail(failure, OUTCOME_INTERNAL, "The server has no random numbers.");
    if (turn->continue_id != NULL) {
        (void)snprintf(begin->answer, sizeof begin->answer, "%s", turn->continue_id);
        return message_continue_turn(begin, failure);
    }
    struct message_past *past = past_of(turn, &begin->history_count);
    if (past == NULL)
        return fail_no_memory(failure);
    begin->history = past;
    enum outcome outcome = message_begin_turn(begin, failure);
    if (outcome == OUTCOME_OK)
        CRASH_POINT("question_stored");
    mem_free(past);
    begin->history = NULL;
    return outcome;
}

/* The same; an answer that stands in the way but was lost with its process is settled first. */
static enum outcome begin_turn(const struct turn *turn, struct message_begin *begin, struct failure *failure)
{
    struct failure trouble;
    bool settled = false;
    enum outcome outcome = store_begin(turn, begin, failure);
    if (outcome == OUTCOME_BUSY && begin->busy[0] != '\0' && lost_settle(turn->user, begin->busy, &settled, &trouble) == OUTCOME_OK && settled)
        outcome = store_begin(turn, begin, failure);
    return outcome;
}

/* The question came before: its client gets the answer of that time. */
static enum outcome repeat_answer(const struct turn *turn, const struct message_begin *begin, struct request *request, const struct listener *listener, struct failure *failure)
{
    struct follow follow = {.user = turn->user, .message = begin->answer, .listener = *listener};
    if (!turn->is_detached)
        return follow_run(&follow, request, failure);
    tell_stream(request, begin);
    return OUTCOME_DETACHED;
}

static enum outcome run_turn(const struct turn *turn, struct request *request, struct listener *listener, struct failure *failure)
{
    char title[TITLE_BYTES], model[LIMIT_MODEL_NAME_BYTES];
    title_make(turn->message, turn->message_len, title);
    completion_model_name(turn->model, model);
    struct message_begin begin = {
        .user = turn->user,
        .conversation_id = turn->conversation_id,
        .rolling_for = turn->rolling_for,
        .parent_id = turn->parent_id,
        .regenerate = turn->regenerate_id,
        .content = turn->message,
        .content_len = turn->message_len,
        .title = title,
        .metadata = turn->metadata,
        .attachments = turn->attachments,
        .client_id = turn->client_id,
        .key = turn->key,
        .body_hash = turn->body_hash,
        .model = model,
        .detached = turn->is_detached,
        .process = process_id(),
        .max_running = live_most(),
    };
    if (turn->key != NULL && message_find_repeat(&begin, failure) != OUTCOME_OK)
        return failure->outcome;
    if (begin.is_repeat)
        return repeat_answer(turn, &begin, request, listener, failure);
    struct place place;
    if (place_take(&place, turn, failure) != OUTCOME_OK)
        return failure->outcome;
    taker_limit(&place.taker, &begin);
    enum outcome outcome = begin_turn(turn, &begin, failure);
    if (outcome == OUTCOME_OK && !begin.is_repeat) /* from here on the answer is in the database, and every way out stores its end */
        outcome = turn->continue_id == NULL ? make_answer(turn, &begin, NULL, &place, request, listener, failure) : go_on(turn, &begin, &place, request, listener, failure);
    place_leave(&place);
    if (outcome == OUTCOME_OK && begin.is_repeat) /* it came twice at a time */
        outcome = repeat_answer(turn, &begin, request, listener, failure);
    return outcome;
}

enum outcome turn_run(const struct turn *turn, struct request *request, const struct dialect *dialect, bool with_usage, struct failure *failure)
{
    struct turn own = *turn;
    struct listener listener = {.dialect = dialect, .with_usage = with_usage};
    char user_name[LIMIT_USER_NAME_BYTES + 1], address[ADDRESS_BYTES]; /* the request has them, and may be gone before the answer is made */
    (void)snprintf(user_name, sizeof user_name, "%s", turn->user_name);
    (void)snprintf(address, sizeof address, "%s", turn->address);
    own.user_name = user_name;
    own.address = address;
    return run_turn(&own, request, &listener, failure);
}

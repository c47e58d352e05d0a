/*
 * A chat that does things: the model can look up the user's orders, and cancel one after the user has agreed.
 *
 * The table stands for your database. It is in memory, so a plain CGI program would begin with it anew at each request.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "parley.h"

static struct order {
    const char *number, *owner, *what; /* owner: a name of the sign-in; "": the one user of a server without it */
    bool is_cancelled;
} orders[] = {{"1001", "", "a teapot", false}, {"1002", "", "six cups", false}, {"2001", "alice", "a piano", false}, {"3001", "bob", "a ladder", false}};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards `orders`: tools of different users run at the same time */

/* The order that the model has asked about, if it is this user's. The model says what users tell it to: who asks is known from parley_user(), never from the arguments. */
static struct order *find_order(struct parley_chat *chat, json_object *arguments)
{
    const char *number = json_object_get_string(json_object_object_get(arguments, "number")); /* NULL: the model forgot it */
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        if (number != NULL && strcmp(orders[i].number, number) == 0 && strcmp(orders[i].owner, parley_user(chat)) == 0)
            return &orders[i];
    parley_result(chat, "The user has no such order."); /* for the model to read */
    return NULL;
}

/* Both tools. `arg` is what the table below says: NULL, or anything to cancel the order. */
static bool use_order(struct parley_chat *chat, json_object *arguments, void *arg)
{
    struct order *order = find_order(chat, arguments);
    if (order == NULL)
        return false; /* the result is an error */
    pthread_mutex_lock(&lock);
    order->is_cancelled = order->is_cancelled || arg != NULL;
    bool is_cancelled = order->is_cancelled;
    pthread_mutex_unlock(&lock);
    return parley_resultf(chat, "Order %s: %s, %s.", order->number, order->what, is_cancelled ? "cancelled" : "on its way");
}

static void answer(struct parley_chat *chat)
{
    static const char schema[] = "{\"type\": \"object\", \"properties\": {\"number\": {\"type\": \"string\"}}, \"required\": [\"number\"]}";
    static char cancel[] = "cancel";
    static const struct parley_tool tools[] = {
        {.name = "look_up_order", .description = "Tells what an order of the user's is, and where.", .schema = schema, .call = use_order},
        {.name = "cancel_order", .description = "Cancels an order of the user's.", .schema = schema, .call = use_order, .arg = cancel, .confirm = true},
    };
    static const char *const next[] = {"Where is my order 1001?", "Please cancel order 1002."};
    if (parley_system(chat, "You help customers with their orders.") && parley_answer_with_tools(chat, NULL, tools, 2))
        parley_followups(chat, next, 2); /* not reached while the user is asked whether to cancel */
}

/* The conversation's name in the list, made beside the answer. False: it is called by its first words. */
static bool name_conversation(const char *message, char *title, size_t size)
{
    const char *number = strpbrk(message, "0123456789");
    return number != NULL && strspn(number, "0123456789") == 4 && snprintf(title, size, "Order %.4s", number) > 0;
}

int main(int argc, char **argv)
{
    static const struct parley_app app = {.name = "tool", .chat = answer, .title = name_conversation};
    return parley_main(argc, argv, &app);
}

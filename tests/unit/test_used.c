/*
 * Tests of src/chat/used.h: sums by model, sums of all, and what is not known.
 */
#include "unit.h"

#include "../../src/base/json.h"
#include "../../src/chat/used.h"

static struct usage tokens(int64_t prompt, int64_t completion)
{
    struct usage usage = usage_none();
    usage.prompt_tokens = prompt;
    usage.completion_tokens = completion;
    return usage;
}

static void each_model_has_its_row(void **state)
{
    (void)state;
    struct used *list = NULL;
    size_t count = 0;
    struct usage first = tokens(1, 2), second = tokens(10, 20);
    second.cost = 0.5;
    assert_true(used_add(&list, &count, "openai", "gpt", &first));
    assert_true(used_add(&list, &count, "openai", "gpt", &second));
    assert_true(used_add(&list, &count, "openai", "mini", &first));
    assert_true(used_add(&list, &count, "azure", "gpt", &first)); /* the same model elsewhere has another price */
    assert_int_equal(count, 3);
    assert_int_equal(list[0].usage.prompt_tokens, 11);
    assert_int_equal(list[0].usage.completion_tokens, 22);
    assert_int_equal(list[0].requests, 2);
    assert_true(list[0].usage.cost > 0.49 && list[0].usage.cost < 0.51);
    assert_int_equal(list[1].requests, 1);
    assert_true(list[1].usage.cost < 0);
    json_object *models = used_by_model(list, count);
    assert_string_equal(json_write(models),
                        "{\"openai/gpt\":{\"n_requests\":2,\"estimated_cost\":0.5,\"prompt_tokens\":11,\"completion_tokens\":22,\"total_tokens\":33},"
                        "\"openai/mini\":{\"n_requests\":1,\"estimated_cost\":0.0,\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3},"
                        "\"azure/gpt\":{\"n_requests\":1,\"estimated_cost\":0.0,\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}");
    json_object_put(models);
    struct usage sum = used_sum(list, count);
    assert_int_equal(sum.prompt_tokens, 13);
    assert_int_equal(sum.completion_tokens, 26);
    assert_true(sum.cost > 0.49 && sum.cost < 0.51);
    mem_free(list);
}

static void what_nobody_has_counted_stays_unknown(void **state)
{
    (void)state;
    struct used *list = NULL;
    size_t count = 0;
    struct usage none = usage_none(), some = tokens(5, USAGE_UNKNOWN);
    some.estimated = true;
    assert_true(used_add(&list, &count, "p", "m", &none));
    struct usage sum = used_sum(list, count);
    assert_int_equal(sum.prompt_tokens, USAGE_UNKNOWN);
    assert_true(sum.cost < 0 && !sum.estimated);
    assert_true(used_add(&list, &count, "p", "m", &some));
    assert_true(used_add(&list, &count, "p", "m", &none));
    sum = used_sum(list, count);
    assert_int_equal(sum.prompt_tokens, 5);
    assert_int_equal(sum.completion_tokens, USAGE_UNKNOWN);
    assert_int_equal(sum.cached_tokens, USAGE_UNKNOWN);
    assert_true(sum.estimated);
    json_object *models = used_by_model(list, count);
    assert_string_equal(json_write(models), "{\"p/m\":{\"n_requests\":3,\"estimated_cost\":0.0,\"prompt_tokens\":5,\"completion_tokens\":0,\"total_tokens\":5}}");
    json_object_put(models);
    mem_free(list);
}

static void nothing_used_is_no_object(void **state)
{
    (void)state;
    assert_null(used_by_model(NULL, 0));
    assert_int_equal(used_sum(NULL, 0).prompt_tokens, USAGE_UNKNOWN);
}

static void the_last_row_takes_the_rest(void **state)
{
    (void)state;
    struct used *list = NULL;
    size_t count = 0;
    struct usage one = tokens(1, 1);
    char name[32];
    for (int i = 0; i < LIMIT_USED_MODELS + 5; i++) {
        (void)snprintf(name, sizeof name, "model-%d", i);
        assert_true(used_add(&list, &count, "p", name, &one));
    }
    assert_int_equal(count, LIMIT_USED_MODELS);
    assert_int_equal(list[LIMIT_USED_MODELS - 1].requests, 6);
    assert_int_equal(used_sum(list, count).prompt_tokens, LIMIT_USED_MODELS + 5);
    mem_free(list);
}

static void without_memory_what_is_there_stays(void **state)
{
    (void)state;
    struct used *list = NULL;
    size_t count = 0;
    struct usage one = tokens(1, 1);
    mem_fail_after(0);
    assert_false(used_add(&list, &count, "p", "a", &one));
    assert_int_equal(count, 0);
    assert_true(used_add(&list, &count, "p", "a", &one));
    mem_fail_after(0);
    assert_false(used_add(&list, &count, "p", "b", &one));
    mem_fail_after(-1);
    assert_int_equal(count, 1);
    assert_int_equal(used_sum(list, count).prompt_tokens, 1);
    mem_free(list);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(each_model_has_its_row),
    cmocka_unit_test(what_nobody_has_counted_stays_unknown),
    cmocka_unit_test(nothing_used_is_no_object),
    cmocka_unit_test(the_last_row_takes_the_rest),
    cmocka_unit_test(without_memory_what_is_there_stays),
};

UNIT_MAIN(tests)

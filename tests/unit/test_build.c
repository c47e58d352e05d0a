/*
 * Tests of how the program is built: the compiler's own word for the hardening that the Makefile asks for. What only the finished program shows is in tests/http/sandbox.test.js.
 */
#include "unit.h"

static void code_is_hardened_as_far_as_the_compiler_can(void **state)
{
    (void)state;
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip(); /* built with flags of their own */
#else
    assert_int_equal(__PIE__, 2);
#ifdef __clang__
    assert_true(__SSP_STRONG__ > 0);
#else
    assert_int_equal(__SSP_STRONG__, 3); /* gcc's number for -fstack-protector-strong */
#endif
#if defined __x86_64__ && defined __GNUC__ && __GNUC__ >= 8
    assert_int_equal(__CET__, 3); /* -fcf-protection: branches and returns */
#endif
#ifndef __OPTIMIZE__
    skip(); /* checks of lengths need it */
#elif __GNUC__ >= 12
    assert_int_equal(__USE_FORTIFY_LEVEL, 3);
#else
    assert_true(__USE_FORTIFY_LEVEL >= 2);
#endif
#endif
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(code_is_hardened_as_far_as_the_compiler_can),
};

UNIT_MAIN(tests)

/*
 * Tests of src/http/address.h: what is this machine, what is counted as one, what is no address.
 */
#include "unit.h"

#include "../../src/http/address.h"

static void assert_group(const char *address, const char *expected)
{
    char group[ADDRESS_BYTES] = "left over";
    address_group(address, group);
    assert_string_equal(group, expected);
}

static void this_machine_is_not_counted(void **state)
{
    (void)state;
    static const char *const here[] = {"127.0.0.1", "127.255.255.254", "127.0.0.0", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:2", "::FFFF:127.9.9.9", "::1%lo"};
    for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
        assert_true(address_is_here(here[i]));
        assert_group(here[i], "");
    }
}

static void what_looks_like_this_machine_is_another(void **state)
{
    (void)state;
    static const char *const others[] = {"128.0.0.1", "126.255.255.255", "10.127.0.1", "::2", "::7f00:1", "1::1", "::ffff:128.0.0.1", "fe80::1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char group[ADDRESS_BYTES];
        assert_false(address_is_here(others[i]));
        address_group(others[i], group);
        assert_true(group[0] != '\0');
    }
}

static void an_ipv4_address_is_counted_by_itself_however_it_is_written(void **state)
{
    (void)state;
    assert_group("192.0.2.7", "192.0.2.7");
    assert_group("::ffff:192.0.2.7", "192.0.2.7");
    assert_group("::ffff:c000:207", "192.0.2.7");
    assert_group("255.255.255.255", "255.255.255.255");
    assert_group("0.0.0.0", "0.0.0.0");
}

static void an_ipv6_address_is_counted_by_its_network(void **state)
{
    (void)state;
    assert_group("2001:db8:1:2::3", "2001:db8:1:2::/64");
    assert_group("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64");
    assert_group("2001:db8:1:3::3", "2001:db8:1:3::/64");
    assert_group("2001:db8::3", "2001:db8::/64");
    assert_group("fe80::1%eth0", "fe80::/64");
    assert_group("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64");
}

static void what_is_no_address_is_not_counted(void **state)
{
    (void)state;
    static const char *const none[] = {"", "unix:", "unix", "/run/parley/chat.sock", "localhost", "192.0.2", "192.0.2.7.1", "192.0.2.256", "192.0.2.7:4711", "192.0.2.7, 192.0.2.8", " 192.0.2.7",
                                       "[2001:db8::1]", "2001:db8", ":::", "1:2:3:4:5:6:7:8:9", "%", "%eth0", "2001:db8::1/64", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2550",
                                       "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_false(address_is_here(none[i]));
        assert_group(none[i], "");
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(this_machine_is_not_counted),
    cmocka_unit_test(what_looks_like_this_machine_is_another),
    cmocka_unit_test(an_ipv4_address_is_counted_by_itself_however_it_is_written),
    cmocka_unit_test(an_ipv6_address_is_counted_by_its_network),
    cmocka_unit_test(what_is_no_address_is_not_counted),
};

UNIT_MAIN(tests)

/*
 * The steps of css_scan.h. strtod() is not used: it knows exponents, hexadecimal, "nan" and "inf", and the locale's decimal point.
 */
#include "css_scan.h"

#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool css_scan_space(const char **at)
{
    size_t n = strspn(*at, " \t\r\n");
    *at += n;
    return n > 0;
}

bool css_scan_char(const char **at, char c)
{
    bool here = **at == c && c != '\0';
    *at += here;
    return here;
}

bool css_scan_word(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncasecmp(*at, word, len) != 0 || is_letter((*at)[len])) /* the NUL of *at ends the comparison */
        return false;
    *at += len;
    return true;
}

bool css_scan_number(const char **at, double *value)
{
    enum { MOST_DIGITS = 6, MOST_DECIMALS = 10 };
    bool negative = **at == '-';
    int digits = 0, decimals = 0;
    double number = 0, place = 1;
    *at += **at == '-' || **at == '+';
    for (; is_digit(**at); (*at)++, digits++)
        if (digits < MOST_DIGITS)
            number = number * 10 + (**at - '0');
    if (**at == '.' && is_digit((*at)[1]))
        for ((*at)++; is_digit(**at); (*at)++, decimals++)
            if (decimals < MOST_DECIMALS)
                number += (**at - '0') * (place /= 10);
    *value = negative ? -number : number;
    return digits + decimals > 0 && digits <= MOST_DIGITS && decimals <= MOST_DECIMALS;
}

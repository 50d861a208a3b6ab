/* The wire format: numbers of every length, fields of every kind, and nothing read past the end. */
#include "core/model/pb.h"
#include "tests/unit/test.h"

static lm_slice slice(const char *bytes, size_t count)
{
    return (lm_slice){(const uint8_t *)bytes, count};
}
#define BYTES(text) slice(text, sizeof(text) - 1)

static lm_status first(lm_slice message, lm_pb_field *out)
{
    lm_pb pb = lm_pb_over(message);
    return lm_pb_next(&pb, out);
}

static void varints(void)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX};
    for (size_t i = 0; i < LM_COUNT(values); i++) {
        lm_str text = {0};
        uint64_t back = 1;
        lm_pb_put_varint(&text, values[i]);
        CHECK_OK(text.status);
        CHECK_INT(text.count, lm_pb_varint_bytes(values[i]));
        lm_pb pb = lm_pb_over(slice(text.text, text.count));
        CHECK_OK(lm_pb_varint(&pb, &back));
        CHECK(back == values[i] && !lm_pb_more(&pb));
        for (size_t cut = 0; cut < text.count; cut++) {
            pb = lm_pb_over(slice(text.text, cut));
            CHECK_FAILS(lm_pb_varint(&pb, &back), LM_INPUT);
            CHECK(pb.at == pb.begin);
        }
        lm_str_free(&text);
    }
    uint64_t back;
    lm_pb wide = lm_pb_over(BYTES("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"));
    CHECK_FAILS(lm_pb_varint(&wide, &back), LM_INPUT);
    lm_pb longer = lm_pb_over(BYTES("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
    CHECK_FAILS(lm_pb_varint(&longer, &back), LM_INPUT);
    CHECK(strstr(lm_message(), "64 bits") != NULL);
}

static void fields(void)
{
    lm_str text = {0};
    lm_pb_put_number(&text, 1, LM_PB_VARINT, (uint64_t)-5);
    lm_pb_put_number(&text, 2, LM_PB_FIXED32, 0x01020304);
    lm_pb_put_number(&text, 3, LM_PB_FIXED64, 0x0102030405060708);
    lm_pb_put_bytes(&text, 100000, "abc", 3);
    lm_pb_put_bytes(&text, 5, "", 0);
    CHECK_OK(text.status);
    lm_pb pb = lm_pb_over(slice(text.text, text.count));
    lm_pb_field f;
    CHECK_OK(lm_pb_next(&pb, &f));
    CHECK(f.number == 1 && (int64_t)f.value == -5 && f.whole.count == 11);
    CHECK_OK(lm_pb_next(&pb, &f));
    CHECK(f.number == 2 && f.value == 0x01020304);
    CHECK_OK(lm_pb_next(&pb, &f));
    CHECK(f.number == 3 && f.value == 0x0102030405060708);
    CHECK_OK(lm_pb_next(&pb, &f));
    CHECK(f.number == 100000 && f.bytes.count == 3 && memcmp(f.bytes.at, "abc", 3) == 0);
    CHECK_OK(lm_pb_next(&pb, &f));
    CHECK(f.number == 5 && f.bytes.count == 0 && !lm_pb_more(&pb));
    lm_str_free(&text);
}

static void faults(void)
{
    lm_pb_field f;
    CHECK_FAILS(first(BYTES("\x02\x00"), &f), LM_INPUT); /* field 0 */
    CHECK_FAILS(first(BYTES("\x0B\x0C"), &f), LM_INPUT); /* a group */
    CHECK(strstr(lm_message(), "unknown way (3)") != NULL);
    CHECK_FAILS(first(BYTES("\x0F"), &f), LM_INPUT);
    CHECK_FAILS(first(BYTES("\x0A\x05" "abcd"), &f), LM_INPUT);
    CHECK(strstr(lm_message(), "5 bytes") != NULL);
    CHECK_FAILS(first(BYTES("\x0D\x01\x02\x03"), &f), LM_INPUT);
    CHECK_FAILS(first(BYTES("\x09\x01\x02\x03\x04\x05\x06\x07"), &f), LM_INPUT);
    CHECK_FAILS(first(BYTES("\x0A\x80\x80\x80\x80\x04"), &f), LM_INPUT);                     /* 1 GiB */
    CHECK_FAILS(first(BYTES("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), &f), LM_INPUT); /* 2^64 - 1 */
    CHECK_FAILS(first(BYTES("\x82\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00"), &f), LM_INPUT); /* field 2^60 */
}

static void check_numbers(lm_slice message, lm_pb_wire each, size_t wanted, uint64_t sum_wanted)
{
    size_t total = 0, seen = 0;
    uint64_t sum = 0;
    lm_pb pb = lm_pb_over(message);
    while (lm_pb_more(&pb)) {
        lm_pb_field f;
        size_t more;
        if (!CHECK_OK(lm_pb_next(&pb, &f)) || !CHECK_OK(lm_pb_count(&f, each, &more)))
            return;
        total += more;
        lm_pb numbers = lm_pb_numbers(&f);
        for (; lm_pb_more(&numbers); seen++) {
            uint64_t value = 0;
            if (!CHECK_OK(lm_pb_number(&numbers, each, &value)))
                return;
            sum += value;
        }
    }
    CHECK_INT(total, wanted);
    CHECK_INT(seen, wanted);
    CHECK_INT(sum, sum_wanted);
}

static void repeated_numbers(void)
{
    /* 300 and 7 packed, then 1 alone; the same for fixed widths */
    check_numbers(BYTES("\x0A\x03\xAC\x02\x07\x08\x01"), LM_PB_VARINT, 3, 308);
    check_numbers(BYTES("\x0A\x08\x01\0\0\0\x02\0\0\0\x0D\x03\0\0\0"), LM_PB_FIXED32, 3, 6);
    check_numbers(BYTES("\x0A\x08\x01\0\0\0\0\0\0\0\x09\x03\0\0\0\0\0\0\0"), LM_PB_FIXED64, 2, 4);
    check_numbers(BYTES("\x0A\x00"), LM_PB_VARINT, 0, 0);
    lm_pb_field f;
    size_t count;
    CHECK_OK(first(BYTES("\x0A\x03" "abc"), &f));
    CHECK_FAILS(lm_pb_count(&f, LM_PB_FIXED32, &count), LM_INPUT);
    CHECK_OK(first(BYTES("\x0D\x01\x02\x03\x04"), &f));
    CHECK_FAILS(lm_pb_count(&f, LM_PB_VARINT, &count), LM_INPUT);
    /* the last packed number is cut off */
    CHECK_OK(first(BYTES("\x0A\x02\x01\x80"), &f));
    CHECK_OK(lm_pb_count(&f, LM_PB_VARINT, &count));
    CHECK_INT(count, 1);
    lm_pb numbers = lm_pb_numbers(&f);
    uint64_t value;
    CHECK_OK(lm_pb_number(&numbers, LM_PB_VARINT, &value));
    CHECK_FAILS(lm_pb_number(&numbers, LM_PB_VARINT, &value), LM_INPUT);
}

int main(void)
{
    CASE(varints);
    CASE(fields);
    CASE(faults);
    CASE(repeated_numbers);
    return test_end();
}

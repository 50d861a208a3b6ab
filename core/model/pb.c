/* The cursor checks every length against what is left before it moves. */
#include "core/model/pb.h"

lm_status lm_pb_varint(lm_pb *pb, uint64_t *out)
{
    const uint8_t *at = pb->at;
    uint64_t value = 0;
    if (at < pb->end && *at < 0x80) { /* most tags, lengths and numbers */
        *out = *at;
        pb->at = at + 1;
        return LM_OK;
    }
    for (int shift = 0; shift < 64; shift += 7) {
        LM_REQUIRE(at < pb->end, LM_INPUT, "the data ends inside a number, at byte %zu", (size_t)(at - pb->begin));
        uint64_t bits = *at & 0x7F;
        LM_REQUIRE(shift < 63 || bits <= 1, LM_INPUT, "the number at byte %zu has more than 64 bits",
                   (size_t)(pb->at - pb->begin));
        value |= bits << shift;
        if (!(*at++ & 0x80)) {
            pb->at = at;
            *out = value;
            return LM_OK;
        }
    }
    return lm_fail(LM_INPUT, "the number at byte %zu has more than 64 bits", (size_t)(pb->at - pb->begin));
}

static lm_status fixed(lm_pb *pb, int bytes, uint64_t *out)
{
    LM_REQUIRE(pb->end - pb->at >= bytes, LM_INPUT, "the data ends inside a number of %d bytes, at byte %zu", bytes,
               (size_t)(pb->at - pb->begin));
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)pb->at[i] << (8 * i);
    pb->at += bytes;
    *out = value;
    return LM_OK;
}

static lm_status content(lm_pb *pb, uint32_t number, lm_slice *out)
{
    uint64_t count;
    LM_TRY(lm_pb_varint(pb, &count));
    LM_REQUIRE(count <= (uint64_t)(pb->end - pb->at), LM_INPUT,
               "field %u says it holds %llu bytes, but %zu are left of its message: the file is cut off or damaged; "
               "get it anew",
               number, (unsigned long long)count, (size_t)(pb->end - pb->at));
    *out = (lm_slice){pb->at, (size_t)count};
    pb->at += count;
    return LM_OK;
}

lm_status lm_pb_next(lm_pb *pb, lm_pb_field *out)
{
    const uint8_t *start = pb->at;
    uint64_t tag;
    LM_TRY(lm_pb_varint(pb, &tag));
    LM_REQUIRE(tag >> 3 >= 1 && tag >> 3 < 1u << 29, LM_INPUT, "no field has the number %llu, at byte %zu",
               (unsigned long long)(tag >> 3), (size_t)(start - pb->begin));
    *out = (lm_pb_field){.number = (uint32_t)(tag >> 3), .wire = (lm_pb_wire)(tag & 7)};
    switch (out->wire) {
    case LM_PB_VARINT: LM_TRY(lm_pb_varint(pb, &out->value)); break;
    case LM_PB_FIXED64: LM_TRY(fixed(pb, 8, &out->value)); break;
    case LM_PB_FIXED32: LM_TRY(fixed(pb, 4, &out->value)); break;
    case LM_PB_BYTES: LM_TRY(content(pb, out->number, &out->bytes)); break;
    default:
        return lm_fail(LM_INPUT, "field %u at byte %zu is stored in an unknown way (%d)", out->number,
                       (size_t)(start - pb->begin), (int)out->wire);
    }
    out->whole = (lm_slice){start, (size_t)(pb->at - start)};
    return LM_OK;
}

lm_status lm_pb_count(const lm_pb_field *field, lm_pb_wire each, size_t *count)
{
    *count = 1;
    if (field->wire == each)
        return LM_OK;
    LM_REQUIRE(field->wire == LM_PB_BYTES, LM_INPUT, "field %u does not hold numbers of its type", field->number);
    size_t bytes = field->bytes.count, width = each == LM_PB_FIXED32 ? 4 : 8;
    if (each != LM_PB_VARINT) {
        LM_REQUIRE(bytes % width == 0, LM_INPUT, "field %u holds %zu bytes, which is no multiple of %zu",
                   field->number, bytes, width);
        *count = bytes / width;
        return LM_OK;
    }
    size_t ends = 0;
    for (size_t i = 0; i < bytes; i++)
        ends += field->bytes.at[i] < 0x80;
    *count = ends;
    return LM_OK;
}

lm_pb lm_pb_numbers(const lm_pb_field *field)
{
    if (field->wire == LM_PB_BYTES)
        return lm_pb_over(field->bytes);
    /* the one number stands after the tag, which is a varint too */
    lm_pb pb = lm_pb_over(field->whole);
    while (*pb.at++ & 0x80) {
    }
    return pb;
}

lm_status lm_pb_number(lm_pb *pb, lm_pb_wire each, uint64_t *out)
{
    return each == LM_PB_VARINT ? lm_pb_varint(pb, out) : fixed(pb, each == LM_PB_FIXED32 ? 4 : 8, out);
}

size_t lm_pb_varint_bytes(uint64_t value)
{
    size_t bytes = 1;
    for (; value >= 0x80; value >>= 7)
        bytes++;
    return bytes;
}

void lm_pb_put_varint(lm_str *out, uint64_t value)
{
    char bytes[10];
    size_t count = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[count++] = (char)(value | 0x80);
    bytes[count++] = (char)value;
    lm_str_add_bytes(out, bytes, count);
}

void lm_pb_put_tag(lm_str *out, uint32_t number, lm_pb_wire wire)
{
    lm_pb_put_varint(out, (uint64_t)number << 3 | (uint64_t)wire);
}

void lm_pb_put_number(lm_str *out, uint32_t number, lm_pb_wire wire, uint64_t value)
{
    lm_pb_put_tag(out, number, wire);
    if (wire == LM_PB_VARINT) {
        lm_pb_put_varint(out, value);
        return;
    }
    char bytes[8];
    size_t count = wire == LM_PB_FIXED32 ? 4 : 8;
    for (size_t i = 0; i < count; i++)
        bytes[i] = (char)(value >> (8 * i));
    lm_str_add_bytes(out, bytes, count);
}

void lm_pb_put_bytes(lm_str *out, uint32_t number, const void *bytes, size_t count)
{
    lm_pb_put_tag(out, number, LM_PB_BYTES);
    lm_pb_put_varint(out, count);
    lm_str_add_bytes(out, bytes, count);
}

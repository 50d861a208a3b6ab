/* Writing archives. An entry is written once its checksum is known; only where room was reserved for one, the checksum
 * is put in at the end. */
#include <string.h>

#include "core/base/mem.h"
#include "core/data/zip.h"

/* 1980-01-01, 00:00: the first day of the format. */
enum { DATE = 1 << 5 | 1, NARROW = 20, WIDE = 45 };

/* Four bits at a time: half a kilobyte less than the usual table, and as fast as the disk. */
uint32_t lm_crc32(uint32_t crc, const void *bytes, size_t count)
{
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    const uint8_t *at = bytes;
    crc = ~crc;
    for (; count > 0; count--) {
        crc ^= *at++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void put(lm_str *to, uint64_t value, int bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        lm_str_char(to, (char)(value & 255));
}

static uint64_t narrow(const lm_zip_out *zip, uint64_t value)
{
    return value >= zip->wide_from ? UINT32_MAX : value;
}

static lm_status write_out(lm_zip_out *zip, const void *bytes, size_t count)
{
    zip->at += count;
    return lm_out_write(&zip->out, bytes, count);
}

lm_status lm_zip_create(const char *path, lm_zip_out *out)
{
    lm_zip_out zip = {.wide_from = UINT32_MAX};
    LM_TRY(lm_out_open(path, &zip.out));
    *out = zip;
    return LM_OK;
}

/* What both headers of an entry hold: version, flags, method, time, date, checksum, sizes, lengths. */
static void put_facts(lm_str *to, int version, uint32_t crc, uint64_t size, size_t name, size_t extra)
{
    put(to, (uint64_t)version, 2);
    put(to, 0, 4);
    put(to, 0, 2);
    put(to, DATE, 2);
    put(to, crc, 4);
    put(to, size, 4);
    put(to, size, 4);
    put(to, name, 2);
    put(to, extra, 2);
}

/* Both headers of an entry that goes to the archive's end: one into `local`, one into the list. */
static lm_status put_entry(lm_zip_out *zip, const char *name, uint64_t size, uint32_t crc, lm_str *local)
{
    const size_t length = strlen(name);
    LM_REQUIRE(length > 0 && length <= 65535, LM_USAGE, "an entry's name of %zu bytes", length);
    const uint64_t offset = zip->at, size4 = narrow(zip, size), offset4 = narrow(zip, offset);
    const bool wide_size = size4 != size, wide = wide_size || offset4 != offset;
    put(local, 0x04034b50, 4);
    put_facts(local, wide_size ? WIDE : NARROW, crc, size4, length, wide_size ? 20 : 0);
    lm_str_add(local, name);
    if (wide_size) {
        put(local, 1 | 16 << 16, 4);
        put(local, size, 8);
        put(local, size, 8);
    }

    size_t extra = (wide_size ? 16 : 0) + (offset4 != offset ? 8 : 0);
    put(&zip->list, 0x02014b50, 4);
    put(&zip->list, wide ? WIDE : NARROW, 2);
    put_facts(&zip->list, wide ? WIDE : NARROW, crc, size4, length, extra ? extra + 4 : 0);
    put(&zip->list, 0, 10); /* comment, disk, attributes */
    put(&zip->list, offset4, 4);
    lm_str_add(&zip->list, name);
    if (extra)
        put(&zip->list, 1 | (uint64_t)extra << 16, 4);
    if (wide_size) {
        put(&zip->list, size, 8);
        put(&zip->list, size, 8);
    }
    if (offset4 != offset)
        put(&zip->list, offset, 8);
    zip->entries++;
    return local->status != LM_OK ? local->status : zip->list.status;
}

lm_status lm_zip_add(lm_zip_out *zip, const char *name, const void *head, size_t head_count, const void *body,
                     size_t body_count)
{
    size_t size;
    LM_REQUIRE(lm_add_size(head_count, body_count, &size), LM_MEMORY, "entry '%s' is too large", name);
    lm_str local = {0};
    lm_status status = put_entry(zip, name, size, lm_crc32(lm_crc32(0, head, head_count), body, body_count), &local);
    if (status == LM_OK)
        status = write_out(zip, local.text, local.count);
    if (status == LM_OK)
        status = write_out(zip, head, head_count);
    if (status == LM_OK)
        status = write_out(zip, body, body_count);
    lm_str_free(&local);
    return status;
}

lm_status lm_zip_reserve(lm_zip_out *zip, const char *name, uint64_t size, lm_zip_room *out)
{
    lm_zip_room room = {.header = zip->at, .left = size, .listed = zip->list.count};
    lm_str local = {0};
    lm_status status = put_entry(zip, name, size, 0, &local);
    if (status == LM_OK)
        status = write_out(zip, local.text, local.count);
    lm_str_free(&local);
    if (status == LM_OK)
        status = lm_out_skip(&zip->out, size);
    room.at = zip->at;
    zip->at += size;
    *out = room;
    return status;
}

/* The checksum, into both headers. */
static lm_status seal(lm_zip_out *zip, const lm_zip_room *room)
{
    enum { IN_ENTRY = 14, IN_LIST = 16 };
    const uint8_t crc[4] = {room->crc & 255, room->crc >> 8 & 255, room->crc >> 16 & 255, room->crc >> 24};
    memcpy(zip->list.text + room->listed + IN_LIST, crc, sizeof crc);
    return lm_out_fill(&zip->out, room->header + IN_ENTRY, crc, sizeof crc);
}

lm_status lm_zip_fill(lm_zip_out *zip, lm_zip_room *room, const void *bytes, size_t count)
{
    LM_REQUIRE(count <= room->left, LM_USAGE, "%zu bytes for an entry that has room for %llu", count,
               (unsigned long long)room->left);
    LM_TRY(lm_out_fill(&zip->out, room->at, bytes, count));
    room->crc = lm_crc32(room->crc, bytes, count);
    room->at += count;
    room->left -= count;
    return room->left ? LM_OK : seal(zip, room);
}

/* The record that ends the archive, with its 64-bit form before it where a number needs that. */
static void put_end(const lm_zip_out *zip, lm_str *to)
{
    uint64_t offset = zip->at, bytes = zip->list.count;
    bool many = zip->entries >= 65535;
    if (many || narrow(zip, offset) != offset || narrow(zip, bytes) != bytes) {
        put(to, 0x06064b50, 4);
        put(to, 44, 8); /* what is left of this record */
        put(to, WIDE | WIDE << 16, 4);
        put(to, 0, 8);
        put(to, zip->entries, 8);
        put(to, zip->entries, 8);
        put(to, bytes, 8);
        put(to, offset, 8);
        put(to, 0x07064b50, 4);
        put(to, 0, 4);
        put(to, offset + bytes, 8);
        put(to, 1, 4);
    }
    put(to, 0x06054b50, 4);
    put(to, 0, 4);
    put(to, many ? 65535 : zip->entries, 2);
    put(to, many ? 65535 : zip->entries, 2);
    put(to, narrow(zip, bytes), 4);
    put(to, narrow(zip, offset), 4);
    put(to, 0, 2);
}

lm_status lm_zip_commit(lm_zip_out *zip)
{
    lm_str end = {0};
    put_end(zip, &end);
    lm_status status = end.status != LM_OK ? end.status : zip->list.status;
    if (status == LM_OK)
        status = write_out(zip, lm_str_text(&zip->list), zip->list.count);
    if (status == LM_OK)
        status = write_out(zip, end.text, end.count);
    lm_str_free(&end);
    if (status == LM_OK)
        status = lm_out_commit(&zip->out);
    lm_zip_drop(zip);
    return status;
}

void lm_zip_drop(lm_zip_out *zip)
{
    lm_out_drop(&zip->out);
    lm_str_free(&zip->list);
}

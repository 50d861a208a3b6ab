/* Files: mapping, writing that is all or nothing, folders. */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/str.h"

static char folder[64];

/* A path below the test's own folder; the last four stay valid. */
static const char *at(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void check_content(const char *path, const char *wanted)
{
    lm_file file = {0};
    if (!CHECK_OK(lm_file_map(path, &file)))
        return;
    CHECK(file.size == strlen(wanted) && memcmp(file.bytes, wanted, file.size) == 0);
    lm_file_unmap(&file);
    CHECK(file.bytes == NULL && file.size == 0);
}

static int entries(const char *suffix)
{
    lm_names names = {0};
    if (!CHECK_OK(lm_dir_list(folder, suffix, &names)))
        return -1;
    int count = (int)names.count;
    lm_names_free(&names);
    return count;
}

static void write_and_map(void)
{
    CHECK_OK(lm_file_write(at("a.txt"), "hello", 5));
    check_content(at("a.txt"), "hello");
    CHECK_OK(lm_file_write(at("a.txt"), "other", 5));
    check_content(at("a.txt"), "other");
    CHECK_OK(lm_file_write(at("empty.txt"), "", 0));
    check_content(at("empty.txt"), "");
    lm_file none = {0};
    CHECK_FAILS(lm_file_map(at("absent"), &none), LM_INPUT);
    CHECK(strstr(lm_message(), "absent: ") != NULL);
    CHECK_FAILS(lm_file_map(folder, &none), LM_INPUT);
    CHECK(none.bytes == NULL);
    lm_file_unmap(&none);
}

static void mapped_bytes_are_read_from_the_file(void)
{
    enum { BYTES = 3 << 20 };
    char *wrote = lm_malloc(BYTES, 1), read[64];
    if (!CHECK(wrote != NULL))
        return;
    for (int i = 0; i < BYTES; i++)
        wrote[i] = (char)(i * 7 >> 3);
    lm_file large = {0}, small = {0};
    CHECK_OK(lm_file_write(at("large"), wrote, BYTES));
    CHECK_OK(lm_file_write(at("small"), wrote, 100));
    if (CHECK_OK(lm_file_map(at("large"), &large)) && CHECK_OK(lm_file_map(at("small"), &small))) {
        CHECK(lm_file_read(large.bytes + 12345, sizeof read, read) && memcmp(read, wrote + 12345, sizeof read) == 0);
        CHECK(lm_file_read(large.bytes + BYTES - 64, 64, read) && memcmp(read, wrote + BYTES - 64, 64) == 0);
        CHECK(!lm_file_read(large.bytes + BYTES - 63, 64, read));
        CHECK(!lm_file_read(small.bytes, 64, read));
        CHECK(!lm_file_read(wrote, 64, read));
    }
    const uint8_t *was = large.bytes;
    lm_file_unmap(&small);
    lm_file_unmap(&large);
    CHECK(!lm_file_read(was, 64, read));
    lm_free(wrote);
}

static void slices_stay_inside(void)
{
    CHECK_OK(lm_file_write(at("s.bin"), "0123456789", 10));
    lm_file file;
    const void *p = NULL;
    if (!CHECK_OK(lm_file_map(at("s.bin"), &file)))
        return;
    CHECK_OK(lm_file_slice(&file, 3, 7, &p));
    CHECK(memcmp(p, "3456789", 7) == 0);
    CHECK_OK(lm_file_slice(&file, 10, 0, &p));
    CHECK_FAILS(lm_file_slice(&file, 3, 8, &p), LM_INPUT);
    CHECK_FAILS(lm_file_slice(&file, 11, 0, &p), LM_INPUT);
    CHECK_FAILS(lm_file_slice(&file, 8, UINT64_MAX - 4, &p), LM_INPUT);
    CHECK_FAILS(lm_file_slice(&file, UINT64_MAX, 2, &p), LM_INPUT);
    lm_file_unmap(&file);
}

/* What a signal handler does before it ends the process. */
static void abandoned(void)
{
    lm_out out;
    int before = entries("");
    if (!CHECK_OK(lm_out_open(at("left.txt"), &out)))
        return;
    CHECK_INT(entries(""), before + 1);
    lm_out_abandon_all();
    CHECK_INT(entries(""), before);
    lm_out_drop(&out);
    lm_out_abandon_all();
    CHECK_INT(entries(""), before);
}

static void nothing_half_written(void)
{
    lm_out out;
    int before = entries("");
    CHECK_OK(lm_file_write(at("kept.txt"), "old", 3));
    if (CHECK_OK(lm_out_open(at("kept.txt"), &out))) {
        CHECK_OK(lm_out_write(&out, "new and longer", 14));
        check_content(at("kept.txt"), "old");
        lm_out_drop(&out);
        lm_out_drop(&out);
    }
    check_content(at("kept.txt"), "old");
    if (CHECK_OK(lm_out_open(at("kept.txt"), &out))) {
        CHECK_OK(lm_out_write(&out, "new ", 4));
        CHECK_OK(lm_out_write(&out, "text", 4));
        CHECK_OK(lm_out_commit(&out));
        lm_out_drop(&out);
    }
    check_content(at("kept.txt"), "new text");
    CHECK_INT(entries(""), before + 1);
    CHECK_INT(entries(".tmp"), 0);
    CHECK_FAILS(lm_file_write(at("no/such/folder.txt"), "x", 1), LM_OUTPUT);
    /* a folder in the way: the name cannot be taken, and nothing stays behind */
    CHECK_OK(lm_dir_make(at("way")));
    CHECK_FAILS(lm_file_write(at("way"), "x", 1), LM_OUTPUT);
    CHECK_INT(entries(".tmp"), 0);
}

static void permissions_follow_the_mask(void)
{
    struct stat about;
    mode_t mask = umask(027);
    CHECK_OK(lm_file_write(at("mode.txt"), "x", 1));
    umask(mask);
    CHECK(stat(at("mode.txt"), &about) == 0 && (about.st_mode & 0777) == 0640);
}

static void special_files_are_written_directly(void)
{
    struct stat about;
    CHECK_OK(lm_file_write("/dev/null", "gone", 4));
    CHECK(stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode));
    if (access("/dev/full", W_OK) == 0)
        CHECK_FAILS(lm_file_write("/dev/full", "no room", 7), LM_OUTPUT);
}

static void folders(void)
{
    CHECK_OK(lm_dir_make(at("deep/er/est")));
    CHECK_OK(lm_dir_make(at("deep/er/est/")));
    CHECK_OK(lm_file_write(at("deep/b.x"), "", 0));
    CHECK_OK(lm_file_write(at("deep/a.x"), "", 0));
    CHECK_OK(lm_file_write(at("deep/c.y"), "", 0));
    CHECK_FAILS(lm_dir_make(at("deep/a.x/below")), LM_OUTPUT);
    lm_names names = {0};
    if (CHECK_OK(lm_dir_list(at("deep"), ".x", &names)) && CHECK_INT(names.count, 2)) {
        CHECK_STR(names.at[0], "a.x");
        CHECK_STR(names.at[1], "b.x");
    }
    lm_names_free(&names);
    if (CHECK_OK(lm_dir_list(at("deep"), "", &names)))
        CHECK_INT(names.count, 4);
    lm_names_free(&names);
    CHECK_FAILS(lm_dir_list(at("absent"), "", &names), LM_INPUT);
}

static lm_status use_files(void)
{
    lm_names names = {0};
    lm_status status = lm_dir_make(at("inject"));
    if (status == LM_OK)
        status = lm_file_write(at("inject/one"), "1", 1);
    if (status == LM_OK)
        status = lm_file_write(at("inject/two"), "2", 1);
    if (status == LM_OK)
        status = lm_dir_list(at("inject"), "", &names);
    lm_names_free(&names);
    return status;
}

static void every_allocation_may_fail(void)
{
    CHECK(test_every_allocation(use_files) > 6);
}

int main(void)
{
    snprintf(folder, sizeof folder, "test_file.XXXXXX");
    if (!mkdtemp(folder))
        test_skip("no folder can be made here");
    CASE(write_and_map);
    CASE(mapped_bytes_are_read_from_the_file);
    CASE(slices_stay_inside);
    CASE(abandoned);
    CASE(nothing_half_written);
    CASE(permissions_follow_the_mask);
    CASE(special_files_are_written_directly);
    CASE(folders);
    CASE(every_allocation_may_fail);
    test_remove(folder);
    return test_end();
}

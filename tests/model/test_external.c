/* External data: found below the model's folder, and nowhere else. */
#include "core/model/external.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/model/onnx_tensor.h"
#include "core/model/sha1.h"
#include "tests/unit/test.h"

static char folder[64]; /* holds m/ (the model's folder), out/ (another) and hub/ (where links may lead) */

/* A path below the test's own folder; the last four stay valid. */
static const char *at(const char *name)
{
    static char path[4][256];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

/* Look for four floats, with up to two more entries beside the location. */
static lm_status look(const char *links, const char *location, const char *key, const char *value, const char *key2,
                      const char *value2, lm_view *out)
{
    onnx_pair entries[3] = {{"location", location}, {key, value}, {key2, value2}};
    int64_t four[] = {4};
    onnx_tensor t = {.name = "w", .data_type = ONNX_FLOAT, .dims = four, .n_dims = 1, .location = 1,
                     .externals = entries, .n_externals = key2 ? 3 : key ? 2 : 1};
    onnx_model m = {0};
    LM_TRY(onnx_files_open(at("m"), links, &m.files));
    lm_view v;
    lm_status status = onnx_tensor_view(&m, &t, &v);
    if (status == LM_OK) {
        /* the mapping goes with the files, so hand out a copy */
        status = lm_view_new(v.dt, &v.sh, out);
        if (status == LM_OK)
            status = lm_view_copy(out, &v);
        lm_buffer_unref(v.buf);
    }
    onnx_files_close(m.files);
    return status;
}

static void check_found(const char *links, const char *location, const char *key, const char *value, const char *key2,
                        const char *value2, float first)
{
    lm_view v = {0};
    if (CHECK_OK(look(links, location, key, value, key2, value2, &v)))
        CHECK_NEAR(lm_view_get(&v, 0), first, 0);
    else
        printf("at %s\n", location);
    lm_buffer_unref(v.buf);
}

static void check_refused(const char *links, const char *location, const char *key, const char *value, const char *why)
{
    lm_view v = {0};
    CHECK_FAILS(look(links, location, key, value, NULL, NULL, &v), LM_INPUT);
    if (strncmp(lm_message(), "tensor 'w': ", 12) != 0 || !strstr(lm_message(), why)) {
        CHECK_STR(lm_message(), why);
        printf("at %s\n", location);
    }
}

static void make_files(void)
{
    static const float values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    strcpy(folder, "/tmp/limn-external-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    CHECK_OK(lm_dir_make(at("m/sub")));
    CHECK_OK(lm_dir_make(at("out")));
    CHECK_OK(lm_dir_make(at("hub/deep")));
    CHECK_OK(lm_file_write(at("m/w.bin"), values, 32));
    CHECK_OK(lm_file_write(at("m/exact.bin"), values, 16));
    CHECK_OK(lm_file_write(at("m/sub/w.bin"), values + 4, 16));
    CHECK_OK(lm_file_write(at("m/empty.bin"), "", 0));
    CHECK_OK(lm_file_write(at("out/secret.bin"), values, 16));
    CHECK_OK(lm_file_write(at("hub/deep/blob"), values + 1, 16));
    CHECK(symlink("w.bin", at("m/link.bin")) == 0);
    CHECK(symlink("../out/secret.bin", at("m/away.bin")) == 0);
    CHECK(symlink("../out", at("m/parent")) == 0);
    CHECK(symlink("sub", at("m/inner")) == 0);
    CHECK(symlink("../hub/deep/blob", at("m/cached.bin")) == 0);
    CHECK(symlink("../hub/deep", at("m/cache")) == 0);
    CHECK(symlink("nowhere", at("m/dangling.bin")) == 0);
    CHECK(symlink("loop.bin", at("m/loop.bin")) == 0);
    CHECK(symlink("/proc/self/environ", at("m/proc.bin")) == 0);
    CHECK(link(at("out/secret.bin"), at("m/hard.bin")) == 0);
    CHECK(mkfifo(at("m/pipe"), 0600) == 0);
}

static void finds(void)
{
    check_found(NULL, "exact.bin", NULL, NULL, NULL, NULL, 1);
    check_found(NULL, "w.bin", "offset", "16", NULL, NULL, 5);
    check_found(NULL, "w.bin", "length", "16", NULL, NULL, 1);
    check_found(NULL, "w.bin", "offset", "8", "length", "16", 3);
    check_found(NULL, "./sub//w.bin", "basepath", "/ignored", NULL, NULL, 5);
    /* not aligned for its type: a copy */
    lm_view v = {0};
    CHECK_OK(look(NULL, "w.bin", "offset", "2", "length", "16", &v));
    lm_buffer_unref(v.buf);
}

static void one_mapping(void)
{
    onnx_files *files;
    onnx_pair entries[] = {{"location", "w.bin"}, {"length", "16"}};
    onnx_tensor t = {.externals = entries, .n_externals = 2};
    lm_slice a = {0}, b = {0};
    CHECK_OK(onnx_files_open(at("m"), NULL, &files));
    CHECK_OK(onnx_external(files, &t, 16, &a));
    entries[0].value = "./w.bin";
    CHECK_OK(onnx_external(files, &t, 16, &b));
    CHECK(a.at == b.at && a.count == 16);
    onnx_files_close(files);
    CHECK_OK(onnx_files_open(NULL, NULL, &files));
    CHECK_FAILS(onnx_external(files, &t, 16, &a), LM_INPUT);
    onnx_files_close(files);
    onnx_files_close(NULL);
}

static void wrong_entries(void)
{
    check_refused(NULL, "w.bin", "offset", "-1", "offset of external data is '-1'");
    check_refused(NULL, "w.bin", "offset", "", "no number");
    check_refused(NULL, "w.bin", "offset", "4 ", "no number");
    check_refused(NULL, "w.bin", "length", "99999999999999999999", "no number");
    check_refused(NULL, "w.bin", "offset", "18446744073709551615", "the file has 32");
    check_refused(NULL, "w.bin", "length", "18446744073709551615", "the file has 32");
    check_refused(NULL, "w.bin", "offset", "40", "the file has 32");
    check_refused(NULL, "w.bin", "length", "12", "take 16 bytes, but there are 12");
    check_refused(NULL, "w.bin", NULL, NULL, "there are 32");
    check_refused(NULL, "w.bin", "location", "w.bin", "twice");
    check_refused(NULL, "w.bin", "mode", "0777", "unknown key 'mode'");
    check_refused(NULL, "empty.bin", NULL, NULL, "there are 0");
    onnx_tensor none = {.location = 1};
    CHECK_FAILS(onnx_external_check(&none), LM_INPUT);
}

static void confined(void)
{
    check_refused(NULL, "", NULL, NULL, "without a location");
    check_refused(NULL, ".", NULL, NULL, "names no file");
    check_refused(NULL, "../out/secret.bin", NULL, NULL, "step up");
    check_refused(NULL, "sub/../../out/secret.bin", NULL, NULL, "step up");
    check_refused(NULL, "sub/..", NULL, NULL, "step up");
    check_refused(NULL, at("out/secret.bin"), NULL, NULL, "below the model's folder");
    check_refused(NULL, "/proc/self/environ", NULL, NULL, "below the model's folder");
    check_refused(NULL, "absent.bin", NULL, NULL, "No such file");
    check_refused(NULL, "w.bin/x", NULL, NULL, "Not a directory");
    check_refused(NULL, "sub", NULL, NULL, "no plain file");
    check_refused(NULL, "pipe", NULL, NULL, "no plain file");
    check_refused(NULL, "hard.bin", NULL, NULL, "hard links");
    static const char *const links[] = {"link.bin",     "away.bin",       "parent/secret.bin", "inner/w.bin",
                                        "cached.bin",   "cache/blob",     "dangling.bin",      "loop.bin",
                                        "proc.bin"};
    for (size_t i = 0; i < LM_COUNT(links); i++)
        check_refused(NULL, links[i], NULL, NULL, "--allow-links");
    char name[600] = {0};
    memset(name, 'a', sizeof name - 1);
    check_refused(NULL, name, NULL, NULL, "too long");
}

static void allowed_links(void)
{
    char hub[256], own[256];
    snprintf(hub, sizeof hub, "%s", at("hub"));
    snprintf(own, sizeof own, "%s", at("m"));
    check_found(hub, "cached.bin", NULL, NULL, NULL, NULL, 2);
    check_found(hub, "cache/blob", NULL, NULL, NULL, NULL, 2);
    check_found(hub, "exact.bin", NULL, NULL, NULL, NULL, 1);
    check_found(own, "inner/w.bin", NULL, NULL, NULL, NULL, 5);
    check_found(own, "hard.bin", NULL, NULL, NULL, NULL, 1);
    check_refused(hub, "hard.bin", NULL, NULL, "leads out of");
    check_refused(hub, "away.bin", NULL, NULL, "leads out of");
    check_refused(hub, "parent/secret.bin", NULL, NULL, "leads out of");
    check_refused(hub, "proc.bin", NULL, NULL, "leads out of");
    check_refused(hub, "loop.bin", NULL, NULL, "leads out of");
    check_refused(hub, "../hub/deep/blob", NULL, NULL, "step up");
    /* a folder whose name only begins like the allowed one */
    CHECK_OK(lm_dir_make(at("hub2")));
    CHECK(rename(at("out/secret.bin"), at("hub2/secret.bin")) == 0);
    CHECK(symlink("../hub2/secret.bin", at("m/near.bin")) == 0);
    check_refused(hub, "near.bin", NULL, NULL, "leads out of");
}

static void checksums(void)
{
    char hex[41];
    lm_sha1_hex("", 0, hex);
    CHECK_STR(hex, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    lm_sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, hex);
    CHECK_STR(hex, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    static char million[1000000];
    memset(million, 'a', sizeof million);
    lm_sha1_hex(million, sizeof million, hex);
    CHECK_STR(hex, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    lm_file file = {0};
    CHECK_OK(lm_file_map(at("m/w.bin"), &file));
    lm_sha1_hex(file.bytes, file.size, hex);
    lm_file_unmap(&file);
    check_found(NULL, "w.bin", "length", "16", "checksum", hex, 1);
    hex[0] = hex[0] == '0' ? '1' : '0';
    check_refused(NULL, "exact.bin", "checksum", hex, "checksum is");
}

static lm_status open_and_read(void)
{
    lm_view v = {0};
    lm_status status = look(at("hub"), "cached.bin", "length", "16", NULL, NULL, &v);
    lm_buffer_unref(v.buf);
    return status;
}

static void no_memory(void)
{
    CHECK(test_every_allocation(open_and_read) > 5);
}

int main(void)
{
    CASE(make_files);
    CASE(finds);
    CASE(one_mapping);
    CASE(wrong_entries);
    CASE(confined);
    CASE(allowed_links);
    CASE(checksums);
    CASE(no_memory);
    test_remove(folder);
    return test_end();
}

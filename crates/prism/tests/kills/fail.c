/* Loaded before the C library: lets one kind of call fail, as a full or broken disk would.
 * FAIL_CALL names it (write, rename, fsync), FAIL_AT the first call of it that fails. A disk that is
 * full stays full, so all later calls fail too. Only calls on regular files count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long calls;

static int fails(const char *call) {
    const char *wanted = getenv("FAIL_CALL"), *at = getenv("FAIL_AT");
    if (!wanted || !at || strcmp(wanted, call)) return 0;
    return atomic_fetch_add(&calls, 1) >= atol(at);
}

static int is_file(int fd) {
    struct stat about;
    int kept = errno, is = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
    errno = kept;
    return is;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    static ssize_t (*next)(int, const void *, size_t);
    if (!next) next = dlsym(RTLD_NEXT, "write");
    if (is_file(fd) && fails("write")) { errno = ENOSPC; return -1; }
    return next(fd, bytes, count);
}

int rename(const char *from, const char *to) {
    static int (*next)(const char *, const char *);
    if (!next) next = dlsym(RTLD_NEXT, "rename");
    if (fails("rename")) { errno = EIO; return -1; }
    return next(from, to);
}

int fsync(int fd) {
    static int (*next)(int);
    if (!next) next = dlsym(RTLD_NEXT, "fsync");
    if (fails("fsync")) { errno = EIO; return -1; }
    return next(fd);
}

/* Makes system calls of a process fail, or kills it at one of them: preloaded by the harness beside it.
 *
 * FAULT_KIND   open, read or write: which calls are counted, on regular files only
 * FAULT_AT     the call with this number is the first that fails
 * FAULT_COUNT  so many fail
 * FAULT_ERRNO  with this error; 0 kills the process instead, as if the power went
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;

static int is_regular(int fd) {
    struct stat stat;
    return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
}

/* Whether this call fails. */
static int fails(const char *kind) {
    const char *wanted = getenv("FAULT_KIND");
    if (!wanted || strcmp(wanted, kind) != 0) return 0;
    const char *at = getenv("FAULT_AT"), *count = getenv("FAULT_COUNT"), *code = getenv("FAULT_ERRNO");
    long first = at ? atol(at) : 0, number = atomic_fetch_add(&calls, 1);
    if (number < first || number >= first + (count ? atol(count) : 1)) return 0;
    if (!code || atoi(code) == 0) kill(getpid(), SIGKILL);
    errno = code ? atoi(code) : EIO;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count) {
    if (is_regular(fd) && fails("write")) return -1;
    return REAL(write)(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    if (fails("write")) return -1;
    return REAL(pwrite64)(fd, bytes, count, offset);
}

int fsync(int fd) { return fails("write") ? -1 : REAL(fsync)(fd); }

int fdatasync(int fd) { return fails("write") ? -1 : REAL(fdatasync)(fd); }

int ftruncate64(int fd, off64_t length) { return fails("write") ? -1 : REAL(ftruncate64)(fd, length); }

int rename(const char *from, const char *to) { return fails("write") ? -1 : REAL(rename)(from, to); }

ssize_t read(int fd, void *bytes, size_t count) {
    if (is_regular(fd) && fails("read")) return -1;
    return REAL(read)(fd, bytes, count);
}

ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset) {
    if (fails("read")) return -1;
    return REAL(pread64)(fd, bytes, count, offset);
}

static mode_t mode_of(int flags, va_list arguments) {
    return (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (fails("open")) return -1;
    return REAL(open64)(path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (fails("open")) return -1;
    return REAL(openat64)(folder, path, flags, mode);
}

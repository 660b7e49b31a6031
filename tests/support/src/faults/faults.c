/*
 * Preloaded into a program under test: disks that fail or are full, clocks that are wrong, by command of small files.
 *
 * KEYTRAIL_FAULTS names the folder with the control files; faults of the disk are for files below KEYTRAIL_FAULTS_BELOW.
 *   sync   there: fsync and fdatasync fail with EIO
 *   space  there: what would write or grow fails with ENOSPC
 *   clock  holds seconds: the wall clock is that far ahead
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int ordered(const char *what) {
    const char *folder = getenv("KEYTRAIL_FAULTS");
    char path[PATH_MAX];
    if (!folder || snprintf(path, sizeof path, "%s/%s", folder, what) >= (int)sizeof path) return 0;
    int before = errno;
    int there = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    errno = before;
    return there;
}

static int below(int fd) {
    const char *folder = getenv("KEYTRAIL_FAULTS_BELOW");
    char link[64], path[PATH_MAX];
    if (!folder) return 0;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0) return 0;
    path[length] = 0;
    size_t prefix = strlen(folder);
    return strncmp(path, folder, prefix) == 0 && (path[prefix] == '/' || path[prefix] == 0);
}

static int full(int fd) {
    if (!ordered("space") || !below(fd)) return 0;
    errno = ENOSPC;
    return 1;
}

static int grows(int fd, off_t length) {
    struct stat now;
    return fstat(fd, &now) == 0 && length > now.st_size;
}

#define REAL(type, name, ...)                                    \
    static type (*real)(__VA_ARGS__);                            \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

int fsync(int fd) {
    REAL(int, "fsync", int);
    if (ordered("sync") && below(fd)) { errno = EIO; return -1; }
    return real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    if (ordered("sync") && below(fd)) { errno = EIO; return -1; }
    return real(fd);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return full(fd) ? -1 : real(fd, bytes, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return full(fd) ? -1 : real(fd, parts, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return full(fd) ? -1 : real(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return full(fd) ? -1 : real(fd, bytes, count, at);
}

/* What becomes shorter needs no space. */
int ftruncate(int fd, off_t length) {
    REAL(int, "ftruncate", int, off_t);
    return grows(fd, length) && full(fd) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    return grows(fd, length) && full(fd) ? -1 : real(fd, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) {
    REAL(int, "fallocate", int, int, off_t, off_t);
    return full(fd) ? -1 : real(fd, mode, at, length);
}

int fallocate64(int fd, int mode, off64_t at, off64_t length) {
    REAL(int, "fallocate64", int, int, off64_t, off64_t);
    return full(fd) ? -1 : real(fd, mode, at, length);
}

/* These two answer with the error, not with errno. */
int posix_fallocate(int fd, off_t at, off_t length) {
    REAL(int, "posix_fallocate", int, off_t, off_t);
    return full(fd) ? ENOSPC : real(fd, at, length);
}

int posix_fallocate64(int fd, off64_t at, off64_t length) {
    REAL(int, "posix_fallocate64", int, off64_t, off64_t);
    return full(fd) ? ENOSPC : real(fd, at, length);
}

/* Looked up at most once in five milliseconds: programs ask for the time often. */
static long shift(void) {
    static __thread long seconds;
    static __thread struct timespec looked;
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    long since = (now.tv_sec - looked.tv_sec) * 1000 + (now.tv_nsec - looked.tv_nsec) / 1000000;
    if (looked.tv_sec && since < 5) return seconds;
    looked = now;
    seconds = 0;
    const char *folder = getenv("KEYTRAIL_FAULTS");
    char path[PATH_MAX], text[32];
    if (!folder || snprintf(path, sizeof path, "%s/clock", folder) >= (int)sizeof path) return 0;
    int before = errno;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        ssize_t length = read(fd, text, sizeof text - 1);
        if (length > 0) { text[length] = 0; seconds = atol(text); }
        close(fd);
    }
    errno = before;
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *answer) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (answer) *answer = now.tv_sec;
    return now.tv_sec;
}

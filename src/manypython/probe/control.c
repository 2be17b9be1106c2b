/* A control experiment: does the surrounding let any program do this?
 *
 * Called as `control WORD...`; prints a line `WORD: function: reason` for each
 * word that the system refused, and nothing for those it allows.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each returns the function that failed, with errno set, or NULL. */

static const char *pty(void) /* pty(7) */
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0)
        return "posix_openpt";
    if (grantpt(master) != 0)
        return "grantpt";
    if (unlockpt(master) != 0)
        return "unlockpt";
    const char *name = ptsname(master);
    return name && open(name, O_RDWR | O_NOCTTY) >= 0 ? NULL : "open of the terminal";
}

static const char *shm(void) /* shm_overview(7), sem_overview(7) */
{
    char name[40];
    snprintf(name, sizeof name, "/manypython-%ld", (long)getpid());
    int memory = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (memory < 0)
        return "shm_open";
    if (ftruncate(memory, 4096) != 0)
        return "ftruncate";
    shm_unlink(name);
    if (sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED)
        return "sem_open";
    sem_unlink(name);
    return NULL;
}

static const char *file(void) /* where tempfile of Python writes */
{
    static const char block[65536];
    const char *folder = getenv("TMPDIR");
    char name[4096];
    snprintf(name, sizeof name, "%s/manypython-XXXXXX", folder && *folder ? folder : "/tmp");
    int number = mkstemp(name);
    if (number < 0)
        return "mkstemp";
    unlink(name);
    for (int i = 0; i < 16; i++)
        if (write(number, block, sizeof block) != (ssize_t)sizeof block)
            return "write";
    return NULL;
}

static const char *process(void)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? NULL : "fork";
}

static void *nothing(void *argument) { return argument; }

static const char *thread(void)
{
    pthread_t other;
    errno = pthread_create(&other, NULL, nothing, NULL);
    return errno == 0 && pthread_join(other, NULL) == 0 ? NULL : "pthread_create";
}

static const char *loopback(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    if (server < 0 || client < 0)
        return "socket";
    if (bind(server, (struct sockaddr *)&here, size) != 0 || listen(server, 1) != 0)
        return "bind";
    if (getsockname(server, (struct sockaddr *)&here, &size) != 0)
        return "getsockname";
    return connect(client, (struct sockaddr *)&here, size) == 0 ? NULL : "connect";
}

static const struct {
    const char *word;
    const char *(*attempt)(void);
} attempts[] = {
    {"pty", pty}, {"shm", shm}, {"file", file}, {"process", process}, {"thread", thread}, {"loopback", loopback},
};

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        for (size_t j = 0; j < sizeof attempts / sizeof *attempts; j++)
            if (strcmp(argv[i], attempts[j].word) == 0) {
                errno = 0;
                const char *function = attempts[j].attempt();
                if (function)
                    printf("%s: %s: %s\n", argv[i], function, strerror(errno));
            }
    return 0;
}

#include "ccurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/socket.h>

/* curl_easy_setopt is a macro around the function in some headers. */
#undef curl_easy_setopt

#define FUNCTIONS(F)                                                                                                \
    F(curl_global_init) F(curl_easy_init) F(curl_easy_cleanup) F(curl_easy_perform) F(curl_easy_strerror)             \
    F(curl_easy_setopt) F(curl_easy_reset) F(curl_slist_append) F(curl_slist_free_all) F(curl_mime_init) F(curl_mime_free)               \
    F(curl_mime_addpart) F(curl_mime_data) F(curl_mime_type) F(curl_mime_encoder) F(curl_mime_filename)               \
    F(curl_mime_subparts) F(curl_mime_headers)

static struct {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
} library;

static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        problem = "libcurl.so.4 cannot be loaded; install the package libcurl4";
        return;
    }
#define FIND(name)                                                                                                  \
    if (!(library.name = (__typeof__(name) *)dlsym(handle, #name))) problem = "libcurl.so.4 has no " #name "; it is too old";
    FUNCTIONS(FIND)
#undef FIND
    if (!problem && library.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) problem = "libcurl could not be started";
}

const char *roost_curl_load(void) {
    pthread_once(&once, load);
    return problem;
}

CURL *roost_curl_easy_init(void) { return library.curl_easy_init(); }
void roost_curl_easy_cleanup(CURL *handle) { library.curl_easy_cleanup(handle); }
CURLcode roost_curl_easy_perform(CURL *handle) { return library.curl_easy_perform(handle); }
const char *roost_curl_easy_strerror(CURLcode code) { return library.curl_easy_strerror(code); }

void roost_curl_easy_reset(CURL *handle) { library.curl_easy_reset(handle); }

CURLcode roost_curl_set_text(CURL *handle, CURLoption option, const char *value) {
    return library.curl_easy_setopt(handle, option, value);
}

CURLcode roost_curl_set_number(CURL *handle, CURLoption option, long value) {
    return library.curl_easy_setopt(handle, option, value);
}

CURLcode roost_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
    return library.curl_easy_setopt(handle, option, value);
}

CURLcode roost_curl_set_functions(
    CURL *handle, roost_curl_bytes header, roost_curl_bytes write, roost_curl_bytes read, roost_curl_seek seek, void *user) {
#define SET(option, value)                                                                                           \
    do {                                                                                                              \
        CURLcode code = library.curl_easy_setopt(handle, option, value);                                              \
        if (code != CURLE_OK) return code;                                                                            \
    } while (0)
    SET(CURLOPT_HEADERFUNCTION, header);
    SET(CURLOPT_HEADERDATA, user);
    SET(CURLOPT_WRITEFUNCTION, write);
    SET(CURLOPT_WRITEDATA, user);
    if (read) {
        SET(CURLOPT_READFUNCTION, read);
        SET(CURLOPT_READDATA, user);
    }
    if (seek) {
        SET(CURLOPT_SEEKFUNCTION, seek);
        SET(CURLOPT_SEEKDATA, user);
    }
#undef SET
    return CURLE_OK;
}

static curl_socket_t open_admitted(void *admit, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    if (!((roost_curl_admit)admit)(&address->addr)) return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

CURLcode roost_curl_set_admission(CURL *handle, roost_curl_admit admit) {
    CURLcode code = library.curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_admitted);
    return code != CURLE_OK ? code : library.curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, (void *)admit);
}

struct curl_slist *roost_curl_slist_append(struct curl_slist *list, const char *text) {
    return library.curl_slist_append(list, text);
}

void roost_curl_slist_free_all(struct curl_slist *list) { library.curl_slist_free_all(list); }

curl_mime *roost_curl_mime_init(CURL *handle) { return library.curl_mime_init(handle); }
void roost_curl_mime_free(curl_mime *mime) { library.curl_mime_free(mime); }
curl_mimepart *roost_curl_mime_addpart(curl_mime *mime) { return library.curl_mime_addpart(mime); }

CURLcode roost_curl_mime_data(curl_mimepart *part, const char *data, size_t size) {
    return library.curl_mime_data(part, data, size);
}

CURLcode roost_curl_mime_type(curl_mimepart *part, const char *type) { return library.curl_mime_type(part, type); }

CURLcode roost_curl_mime_encoder(curl_mimepart *part, const char *encoding) {
    return library.curl_mime_encoder(part, encoding);
}

CURLcode roost_curl_mime_filename(curl_mimepart *part, const char *name) {
    return library.curl_mime_filename(part, name);
}

CURLcode roost_curl_mime_subparts(curl_mimepart *part, curl_mime *parts) {
    return library.curl_mime_subparts(part, parts);
}

CURLcode roost_curl_mime_headers(curl_mimepart *part, struct curl_slist *headers, int take_ownership) {
    return library.curl_mime_headers(part, headers, take_ownership);
}

/*
 * libcurl, loaded when something is sent for the first time: with its own libraries it would cost every server 5 MiB otherwise. The
 * functions are libcurl's of the same names; roost_curl_load has to have succeeded before any of them is called.
 */
#ifndef ROOST_CCURL_H
#define ROOST_CCURL_H

#include <curl/curl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Loads the library. Any thread. NULL, or why it cannot be used: a text that lives for ever. */
const char *roost_curl_load(void);

CURL *roost_curl_easy_init(void);
void roost_curl_easy_cleanup(CURL *handle);
CURLcode roost_curl_easy_perform(CURL *handle);
const char *roost_curl_easy_strerror(CURLcode code);

/* Forgets the options, keeps the connections. */
void roost_curl_easy_reset(CURL *handle);

/* curl_easy_setopt by the type of the value. */
CURLcode roost_curl_set_text(CURL *handle, CURLoption option, const char *value);
CURLcode roost_curl_set_number(CURL *handle, CURLoption option, long value);
CURLcode roost_curl_set_pointer(CURL *handle, CURLoption option, void *value);

/* The functions that libcurl calls with the bytes of a transfer; `user` is passed as their last (of `seek`: first)
 * parameter. `read` and `seek` may be NULL. */
typedef size_t (*roost_curl_bytes)(char *bytes, size_t size, size_t count, void *user);
typedef int (*roost_curl_seek)(void *user, curl_off_t offset, int origin);
CURLcode roost_curl_set_functions(
    CURL *handle, roost_curl_bytes header, roost_curl_bytes write, roost_curl_bytes read, roost_curl_seek seek, void *user);

/* Has libcurl connect to addresses alone for which `admit`, called with each before, does not answer 0. */
typedef int (*roost_curl_admit)(const struct sockaddr *address);
CURLcode roost_curl_set_admission(CURL *handle, roost_curl_admit admit);

struct curl_slist *roost_curl_slist_append(struct curl_slist *list, const char *text);
void roost_curl_slist_free_all(struct curl_slist *list);

curl_mime *roost_curl_mime_init(CURL *handle);
void roost_curl_mime_free(curl_mime *mime);
curl_mimepart *roost_curl_mime_addpart(curl_mime *mime);
CURLcode roost_curl_mime_data(curl_mimepart *part, const char *data, size_t size);
CURLcode roost_curl_mime_type(curl_mimepart *part, const char *type);
CURLcode roost_curl_mime_encoder(curl_mimepart *part, const char *encoding);
CURLcode roost_curl_mime_filename(curl_mimepart *part, const char *name);
CURLcode roost_curl_mime_subparts(curl_mimepart *part, curl_mime *parts);
CURLcode roost_curl_mime_headers(curl_mimepart *part, struct curl_slist *headers, int take_ownership);

#ifdef __cplusplus
}
#endif

#endif

#include "cxml2.h"

#include <dlfcn.h>
#include <pthread.h>

#define FUNCTIONS(F) F(htmlReadMemory) F(xmlFreeDoc) F(xmlDocGetRootElement) F(xmlGetProp)

static struct {
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
    xmlFreeFunc *release;
} library;

static const char *problem;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *handle = dlopen("libxml2.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        problem = "libxml2.so.2 cannot be loaded; install the package libxml2";
        return;
    }
#define FIND(name)                                                                                                  \
    if (!(library.name = (__typeof__(name) *)dlsym(handle, #name))) problem = "libxml2.so.2 has no " #name;
    FUNCTIONS(FIND)
#undef FIND
    if (!(library.release = (xmlFreeFunc *)dlsym(handle, "xmlFree"))) problem = "libxml2.so.2 has no xmlFree";
}

const char *roost_xml_load(void) {
    pthread_once(&once, load);
    return problem;
}

xmlDoc *roost_html_read(const char *text, int length) {
    int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET;
    return library.htmlReadMemory(text, length, NULL, "UTF-8", options);
}

void roost_xml_free(xmlDoc *document) { library.xmlFreeDoc(document); }
xmlNode *roost_xml_root(xmlDoc *document) { return library.xmlDocGetRootElement(document); }
xmlChar *roost_xml_attribute(xmlNode *node, const char *name) { return library.xmlGetProp(node, (const xmlChar *)name); }
void roost_xml_free_text(xmlChar *text) { (*library.release)(text); }

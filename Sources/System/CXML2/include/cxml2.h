/*
 * The part of libxml2 that reads HTML, loaded when it is first needed: it brings large libraries of its own along.
 */
#ifndef ROOST_CXML2_H
#define ROOST_CXML2_H

#include <libxml/HTMLparser.h>
#include <libxml/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Loads the library. Any thread. NULL, or why it cannot be used: a text that lives for ever. */
const char *roost_xml_load(void);

/* htmlReadMemory: UTF-8, whatever the document says; faults are mended and nothing is fetched. NULL when there is no
 * document in it. OWNERSHIP: the caller's, for roost_xml_free. */
xmlDoc *roost_html_read(const char *text, int length);
void roost_xml_free(xmlDoc *document);
xmlNode *roost_xml_root(xmlDoc *document);
/* An attribute's value or NULL. OWNERSHIP: the caller's, for roost_xml_free_text. */
xmlChar *roost_xml_attribute(xmlNode *node, const char *name);
void roost_xml_free_text(xmlChar *text);

#ifdef __cplusplus
}
#endif

#endif

#include "cre2.h"

#include <re2/re2.h>

#include <cstring>
#include <new>

struct cre2_pattern {
    RE2 expression;
    cre2_pattern(const re2::StringPiece &text, const RE2::Options &options) : expression(text, options) {}
};

extern "C" cre2_pattern *cre2_compile(const uint8_t *pattern, size_t length, char *error, size_t error_size) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(8 << 20);
    auto *compiled = new (std::nothrow)
        cre2_pattern(re2::StringPiece(reinterpret_cast<const char *>(pattern), length), options);
    if (compiled != nullptr && compiled->expression.ok()) return compiled;
    if (error_size > 0) {
        std::strncpy(error, compiled == nullptr ? "out of memory" : compiled->expression.error().c_str(), error_size - 1);
        error[error_size - 1] = 0;
    }
    delete compiled;
    return nullptr;
}

extern "C" void cre2_release(cre2_pattern *pattern) { delete pattern; }

extern "C" int cre2_matches(const cre2_pattern *pattern, const uint8_t *text, size_t length) {
    return RE2::PartialMatch(re2::StringPiece(reinterpret_cast<const char *>(text), length), pattern->expression) ? 1 : 0;
}

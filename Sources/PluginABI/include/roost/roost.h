/* All headers of the Roost plugin ABI. */
#ifndef ROOST_H
#define ROOST_H

#include "core.h"

#include "alerts.h"
#include "auth_method.h"
#include "changes.h"
#include "command.h"
#include "cron.h"
#include "failure.h"
#include "field_query.h"
#include "field_type.h"
#include "file_storage.h"
#include "files.h"
#include "hooks.h"
#include "http.h"
#include "http_stream.h"
#include "identity.h"
#include "log.h"
#include "mailer.h"
#include "realtime.h"
#include "record_requests.h"
#include "records.h"
#include "settings.h"
#include "text.h"
#include "thread_check.h"
#include "thumbs.h"

#endif

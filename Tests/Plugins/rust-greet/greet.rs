//! A plugin in Rust without any crate: the route `GET /api/greet/{name}`, and a hook that refuses records whose title
//! is "forbidden".

mod roost;

use roost::*;
use std::ffi::c_void;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicPtr, Ordering};

/// What the plugin keeps of the host: tables that live as long as the process.
struct Tables {
    host: *const Host,
    http: *const Http,
    hooks: *const Hooks,
    records: *const Records,
}

static TABLES: AtomicPtr<Tables> = AtomicPtr::new(std::ptr::null_mut());

fn tables() -> Option<&'static Tables> {
    // Set once in init, before anything else is called, and never released.
    unsafe { TABLES.load(Ordering::Acquire).as_ref() }
}

/// Nothing may unwind into the host.
fn guarded(body: impl FnOnce() -> Status + std::panic::UnwindSafe) -> Status {
    catch_unwind(body).unwrap_or(EINTERNAL)
}

extern "C" fn create(instance: *mut *mut c_void) -> Status {
    unsafe { *instance = std::ptr::null_mut() };
    OK
}

extern "C" fn init(_instance: *mut c_void, host: *const Host, _call: *const Call) -> Status {
    guarded(|| {
        let get = |id: &str| unsafe { ((*host).get_table)(host, Bytes::of(id)) };
        let found = Tables {
            host,
            http: get("roost.http/1").cast(),
            hooks: get("roost.hooks/1").cast(),
            records: get("roost.records/1").cast(),
        };
        if found.http.is_null() || found.hooks.is_null() || found.records.is_null() {
            return EDENIED;
        }
        let found = Box::leak(Box::new(found));
        TABLES.store(found, Ordering::Release);
        let route = Route {
            method: Bytes::of("GET"),
            path: Bytes::of("/api/greet/{name}"),
            run: RUN_LOOP,
            audience: AUDIENCE_ANYONE,
            max_body_size: 0,
            user: std::ptr::null_mut(),
            handler: greet,
            cancel: None,
            free: None,
            reserved: 0,
        };
        let hook = Hook {
            event: Bytes::of("recordCreate"),
            collections: Bytes::EMPTY,
            priority: 0,
            reserved: 0,
            user: std::ptr::null_mut(),
            handler: before_create,
            free: None,
        };
        unsafe {
            let status = ((*found.http).add_route)(host, &route);
            if status < 0 {
                return status;
            }
            ((*found.hooks).add)(host, &hook)
        }
    })
}

extern "C" fn greet(_user: *mut c_void, _call: *const Call, request: Request) -> Status {
    guarded(|| {
        let Some(tables) = tables() else { return EINTERNAL };
        let http = unsafe { &*tables.http };
        let mut name = Bytes::EMPTY;
        if (http.parameter)(request, Bytes::of("name"), &mut name) < 0 {
            return EINVALID;
        }
        let name = unsafe { name.to_text() };
        let body = format!("{{\"message\":\"Hello, {}!\"}}", escaped(&name));
        (http.respond)(request, 200, Bytes::of("application/json"), Bytes::of(&body))
    })
}

extern "C" fn before_create(_user: *mut c_void, call: *const Call, event: Event) -> Status {
    guarded(|| {
        let Some(tables) = tables() else { return EINTERNAL };
        let mut record = Record::default();
        let mut title = Value::NULL;
        unsafe {
            if ((*tables.hooks).record)(event, &mut record) >= 0
                && ((*tables.records).get)(record, Bytes::of("title"), &mut title) >= 0
                && title.kind == VALUE_TEXT
                && title.bytes.to_text() == "forbidden"
            {
                ((*tables.host).fail_field)(
                    call,
                    Bytes::of("title"),
                    Bytes::of("validation_forbidden_title"),
                    Bytes::of("This title is forbidden."),
                    Bytes::EMPTY,
                );
                return EFAILED;
            }
            ((*tables.hooks).next)(call, event)
        }
    })
}

/// The text as it stands in a JSON string.
fn escaped(text: &str) -> String {
    let mut result = String::new();
    for c in text.chars() {
        match c {
            '"' => result.push_str("\\\""),
            '\\' => result.push_str("\\\\"),
            c if (c as u32) < 0x20 => result.push_str(&format!("\\u{:04x}", c as u32)),
            c => result.push(c),
        }
    }
    result
}

static DESCRIPTOR: Descriptor = Descriptor {
    magic: *b"ROOST\0P1",
    size: std::mem::size_of::<Descriptor>() as u32,
    abi_major: 1,
    abi_minor: 0,
    reserved: 0,
    id: Bytes::of("org.example.greet"),
    version: Bytes::of("1.0.0"),
    name: Bytes::of("Greeter"),
    vendor: Bytes::of("Example"),
    license: Bytes::of("MIT"),
    url: Bytes::EMPTY,
    create,
    init,
    start: None,
    stop: None,
};

#[no_mangle]
pub extern "C" fn roost_plugin_entry() -> *const Descriptor {
    &DESCRIPTOR
}

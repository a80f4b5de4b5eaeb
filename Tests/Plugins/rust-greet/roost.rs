//! What this plugin needs of `roost/core.h`, `roost/http.h`, `roost/hooks.h` and `roost/records.h`, written by hand.
//! The structs are frozen in ABI 1; the assertions at the end hold them to the headers' sizes.

#![allow(dead_code)]

use std::ffi::c_void;

pub type Status = i32;
pub const OK: Status = 0;
pub const EFAILED: Status = -1;
pub const EINVALID: Status = -2;
pub const EDENIED: Status = -4;
pub const EINTERNAL: Status = -10;

pub const VALUE_TEXT: u32 = 3;
pub const RUN_LOOP: u32 = 0;
pub const AUDIENCE_ANYONE: u32 = 0;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    pub data: *const u8,
    pub length: u64,
}

impl Bytes {
    pub const EMPTY: Bytes = Bytes { data: std::ptr::null(), length: 0 };

    pub const fn of(text: &str) -> Bytes {
        Bytes { data: text.as_ptr(), length: text.len() as u64 }
    }

    /// # Safety
    /// The bytes are the host's and live as long as the call that gave them.
    pub unsafe fn to_text(self) -> String {
        if self.data.is_null() || self.length == 0 {
            return String::new();
        }
        String::from_utf8_lossy(std::slice::from_raw_parts(self.data, self.length as usize)).into_owned()
    }
}

#[repr(C)]
pub struct Value {
    pub kind: u32,
    pub reserved: u32,
    pub integer: i64,
    pub number: f64,
    pub bytes: Bytes,
}

impl Value {
    pub const NULL: Value = Value { kind: 0, reserved: 0, integer: 0, number: 0.0, bytes: Bytes::EMPTY };
}

#[repr(C)]
pub struct Call {
    _private: [u8; 0],
}

#[repr(C)]
pub struct Host {
    pub abi_major: u32,
    pub abi_minor: u32,
    pub version: Bytes,
    pub settings: Bytes,
    pub context: *mut c_void,
    pub get_table: extern "C" fn(*const Host, Bytes) -> *const c_void,
    pub offer_table: extern "C" fn(*const Host, Bytes, *const c_void) -> Status,
    pub allocate: extern "C" fn(*const Host, u64) -> *mut c_void,
    pub release: extern "C" fn(*const Host, *mut c_void),
    pub scratch: extern "C" fn(*const Call, u64) -> *mut c_void,
    pub fail: extern "C" fn(*const Call, i32, Bytes, Bytes),
    pub fail_field: extern "C" fn(*const Call, Bytes, Bytes, Bytes, Bytes),
}

#[repr(C)]
pub struct Descriptor {
    pub magic: [u8; 8],
    pub size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub id: Bytes,
    pub version: Bytes,
    pub name: Bytes,
    pub vendor: Bytes,
    pub license: Bytes,
    pub url: Bytes,
    pub create: extern "C" fn(*mut *mut c_void) -> Status,
    pub init: extern "C" fn(*mut c_void, *const Host, *const Call) -> Status,
    pub start: Option<extern "C" fn(*mut c_void, *const Call) -> Status>,
    pub stop: Option<extern "C" fn(*mut c_void)>,
}

// All that it points to is constant.
unsafe impl Sync for Descriptor {}

macro_rules! handle {
    ($name:ident) => {
        #[repr(C)]
        #[derive(Clone, Copy, Default)]
        pub struct $name {
            pub id: u64,
        }
    };
}
handle!(Request);
handle!(Record);
handle!(Event);

#[repr(C)]
pub struct Route {
    pub method: Bytes,
    pub path: Bytes,
    pub run: u32,
    pub audience: u32,
    pub max_body_size: i64,
    pub user: *mut c_void,
    pub handler: extern "C" fn(*mut c_void, *const Call, Request) -> Status,
    pub cancel: Option<extern "C" fn(*mut c_void, Request)>,
    pub free: Option<extern "C" fn(*mut c_void)>,
    pub reserved: u64,
}

/// The beginning of `roost_http_v1`; what follows is not used here.
#[repr(C)]
pub struct Http {
    pub add_route: extern "C" fn(*const Host, *const Route) -> Status,
    pub add_middleware: extern "C" fn(*const Host, *const Route, i32) -> Status,
    pub method: extern "C" fn(Request, *mut Bytes) -> Status,
    pub path: extern "C" fn(Request, *mut Bytes) -> Status,
    pub parameter: extern "C" fn(Request, Bytes, *mut Bytes) -> Status,
    pub query: extern "C" fn(Request, Bytes, *mut Bytes) -> Status,
    pub header: extern "C" fn(Request, Bytes, *mut Bytes) -> Status,
    pub body: extern "C" fn(Request, *mut Bytes) -> Status,
    pub body_json: extern "C" fn(*const Call, Request, *mut Bytes) -> Status,
    pub remote_ip: extern "C" fn(Request, *mut Bytes) -> Status,
    pub auth: extern "C" fn(*const Call, Request, *mut Record) -> Status,
    pub set_header: extern "C" fn(Request, Bytes, Bytes) -> Status,
    pub respond: extern "C" fn(Request, i32, Bytes, Bytes) -> Status,
}

#[repr(C)]
pub struct Hook {
    pub event: Bytes,
    pub collections: Bytes,
    pub priority: i32,
    pub reserved: u32,
    pub user: *mut c_void,
    pub handler: extern "C" fn(*mut c_void, *const Call, Event) -> Status,
    pub free: Option<extern "C" fn(*mut c_void)>,
}

#[repr(C)]
pub struct Hooks {
    pub add: extern "C" fn(*const Host, *const Hook) -> Status,
    pub next: extern "C" fn(*const Call, Event) -> Status,
    pub record: extern "C" fn(Event, *mut Record) -> Status,
}

/// The beginning of `roost_records_v1`.
#[repr(C)]
pub struct Records {
    pub get: extern "C" fn(Record, Bytes, *mut Value) -> Status,
}

const _: () = assert!(std::mem::size_of::<Bytes>() == 16);
const _: () = assert!(std::mem::size_of::<Value>() == 40);
const _: () = assert!(std::mem::size_of::<Host>() == 104);
const _: () = assert!(std::mem::size_of::<Descriptor>() == 152);
const _: () = assert!(std::mem::size_of::<Route>() == 88);
const _: () = assert!(std::mem::size_of::<Hook>() == 64);

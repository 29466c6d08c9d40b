//! A file layer under SQLite (a VFS) that fails on order and knows what a power cut would leave.
#![allow(unsafe_code)] // SQLite's interface to files is C.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, Once};

use rusqlite::ffi;

/// What SQLite does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Open,
    Read,
    Write,
    Sync,
    Lock,
}

/// A fault of every file in one folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) operation: Operation,
    /// SQLite's code for the error.
    pub(crate) code: c_int,
    /// How many of these operations succeed before.
    pub(crate) after: usize,
    /// How many fail then.
    pub(crate) times: usize,
    /// Whether a failing write writes its first half.
    pub(crate) short: bool,
}

#[derive(Default)]
struct Disk {
    fault: Option<Fault>,
    seen: usize,
    failed: usize,
    /// The content of each file as it was synced last.
    synced: HashMap<PathBuf, Vec<u8>>,
}

/// The disk of each folder, so that tests run side by side.
static DISKS: LazyLock<Mutex<HashMap<PathBuf, Disk>>> = LazyLock::new(Mutex::default);
static INSTALLED: Once = Once::new();
/// SQLite's own layer.
static BELOW: Mutex<usize> = Mutex::new(0);

/// Gives a folder a disk of its own. All databases of this process go through the layer from now on.
pub(crate) fn watch(folder: &Path) {
    INSTALLED.call_once(install);
    DISKS.lock().unwrap().insert(folder.to_owned(), Disk::default());
}

pub(crate) fn break_with(folder: &Path, fault: Fault) {
    let mut disks = DISKS.lock().unwrap();
    let disk = disks.get_mut(folder).unwrap();
    (disk.fault, disk.seen, disk.failed) = (Some(fault), 0, 0);
}

/// Ends the fault. Returns how many operations failed.
pub(crate) fn mend(folder: &Path) -> usize {
    let mut disks = DISKS.lock().unwrap();
    let disk = disks.get_mut(folder).unwrap();
    disk.fault = None;
    disk.failed
}

/// Writes what a power cut would leave of the folder to another one: of each file, what was synced last.
pub(crate) fn power_cut(folder: &Path, left: &Path) {
    for (path, content) in &DISKS.lock().unwrap()[folder].synced {
        std::fs::write(left.join(path.file_name().unwrap()), content).unwrap();
    }
}

fn disk_of<T>(path: &Path, then: impl FnOnce(&mut Disk) -> T) -> Option<T> {
    DISKS.lock().unwrap().get_mut(path.parent()?).map(then)
}

/// The fault of an operation on a file, if it is to fail.
fn fault(path: &Path, operation: Operation) -> Option<Fault> {
    disk_of(path, |disk| {
        let fault = disk.fault.filter(|fault| fault.operation == operation)?;
        disk.seen += 1;
        let fails = disk.seen > fault.after && disk.seen <= fault.after.saturating_add(fault.times);
        disk.failed += usize::from(fails);
        fails.then_some(fault)
    })
    .flatten()
}

/// An open file; SQLite's own follows it in memory.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    path: *mut PathBuf,
}

fn below() -> *mut ffi::sqlite3_vfs {
    *BELOW.lock().unwrap() as *mut ffi::sqlite3_vfs
}

unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

unsafe fn path<'a>(file: *mut ffi::sqlite3_file) -> &'a Path {
    unsafe { &*(*file.cast::<File>()).path }
}

/// Calls a method of SQLite's own file.
macro_rules! pass {
    ($file:expr, $method:ident $(, $argument:expr)*) => {
        unsafe {
            let real = real($file);
            (*(*real).pMethods).$method.unwrap()(real $(, $argument)*)
        }
    };
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    unsafe {
        (*file).pMethods = std::ptr::null();
        let path = match name.is_null() {
            true => PathBuf::new(),
            false => PathBuf::from(CStr::from_ptr(name).to_str().unwrap()),
        };
        if let Some(fault) = fault(&path, Operation::Open) {
            return fault.code;
        }
        let real = real(file);
        let code = (*below()).xOpen.unwrap()(below(), name, real, flags, out);
        if code == ffi::SQLITE_OK {
            disk_of(&path, |disk| {
                let content = std::fs::read(&path).unwrap_or_default();
                disk.synced.entry(path.clone()).or_insert(content);
            });
            (*file.cast::<File>()).path = Box::into_raw(Box::new(path));
            (*file).pMethods = &raw const METHODS;
        }
        code
    }
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    unsafe {
        let path = PathBuf::from(CStr::from_ptr(name).to_str().unwrap());
        let code = (*below()).xDelete.unwrap()(below(), name, sync);
        disk_of(&path, |disk| disk.synced.remove(&path));
        code
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let code = pass!(file, xClose);
    drop(unsafe { Box::from_raw((*file.cast::<File>()).path) });
    code
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, bytes: *mut c_void, count: c_int, at: i64) -> c_int {
    match fault(unsafe { path(file) }, Operation::Read) {
        Some(fault) => fault.code,
        None => pass!(file, xRead, bytes, count, at),
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, bytes: *const c_void, count: c_int, at: i64) -> c_int {
    match fault(unsafe { path(file) }, Operation::Write) {
        Some(fault) => {
            if fault.short {
                let _ = pass!(file, xWrite, bytes, count / 2, at);
            }
            fault.code
        }
        None => pass!(file, xWrite, bytes, count, at),
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    pass!(file, xTruncate, size)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    let path = unsafe { path(file) };
    if let Some(fault) = fault(path, Operation::Sync) {
        return fault.code;
    }
    let code = pass!(file, xSync, flags);
    // The real file, read through SQLite's own handle: another one would release its locks when it is closed.
    let mut size = 0;
    pass!(file, xFileSize, &raw mut size);
    let mut content = vec![0_u8; usize::try_from(size).unwrap()];
    if !content.is_empty() {
        pass!(file, xRead, content.as_mut_ptr().cast(), c_int::try_from(size).unwrap(), 0);
    }
    disk_of(path, |disk| disk.synced.insert(path.to_owned(), content));
    code
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    pass!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    match fault(unsafe { path(file) }, Operation::Lock) {
        Some(fault) => fault.code,
        None => pass!(file, xLock, level),
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    pass!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, held: *mut c_int) -> c_int {
    pass!(file, xCheckReservedLock, held)
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, operation: c_int, argument: *mut c_void) -> c_int {
    pass!(file, xFileControl, operation, argument)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    pass!(file, xSectorSize)
}

/// No promise about writes that a power cut interrupts.
unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    0
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    pass!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, offset: c_int, count: c_int, flags: c_int) -> c_int {
    if flags & ffi::SQLITE_SHM_LOCK != 0
        && let Some(fault) = fault(unsafe { path(file) }, Operation::Lock)
    {
        return fault.code;
    }
    pass!(file, xShmLock, offset, count, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    pass!(file, xShmBarrier);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    pass!(file, xShmUnmap, delete)
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // Without memory-mapped files, which would go past this layer.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes the layer SQLite's default one.
fn install() {
    unsafe {
        ffi::sqlite3_initialize();
        let below = ffi::sqlite3_vfs_find(std::ptr::null());
        *BELOW.lock().unwrap() = below as usize;
        let mut layer = *below;
        layer.szOsFile += c_int::try_from(size_of::<File>()).unwrap();
        layer.pNext = std::ptr::null_mut();
        layer.zName = c"failing".as_ptr();
        layer.xOpen = Some(open);
        layer.xDelete = Some(delete);
        assert_eq!(ffi::sqlite3_vfs_register(Box::into_raw(Box::new(layer)), 1), ffi::SQLITE_OK);
    }
}

//! The console that Windows opens for a program that is not started from one. AURA is a console program, so that its command line works.

/// Closes the console if it was opened for this process alone, where nobody reads it. A console that a shell shares stays.
#[expect(unsafe_code, reason = "foreign functions are unsafe")]
pub(crate) fn close_own() {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetConsoleProcessList(processes: *mut u32, count: u32) -> u32;
        fn FreeConsole() -> i32;
    }
    let mut processes = [0; 2];
    // SAFETY: the list has room for two numbers, and no more are written. What is printed afterwards is lost, which Rust does not mind.
    unsafe {
        if GetConsoleProcessList(processes.as_mut_ptr(), 2) == 1 {
            // Fails only when there is no console.
            let _ = FreeConsole();
        }
    }
}

#![no_main]

#[allow(dead_code)]
#[path = "../fed.rs"]
mod fed;

libfuzzer_sys::fuzz_target!(init: prism_run::contained::silence_panics(), |bytes: &[u8]| {
    fed::run(bytes);
});

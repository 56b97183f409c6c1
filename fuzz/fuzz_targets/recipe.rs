#![no_main]

#[allow(dead_code)]
#[path = "../fed.rs"]
mod fed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fed::recipe(bytes);
});

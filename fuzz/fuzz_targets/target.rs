//! All fuzzers: each is called what its target is called.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use registration::fuzzing::TARGETS;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = env!("CARGO_BIN_NAME");
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.expect("there is a target of this name").1
});

fuzz_target!(|input: &[u8]| TARGET(input));

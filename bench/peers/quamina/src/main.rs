//! quamina-rs on the same bytes as bench/match: match-quamina RULES EVENTS REPEAT
//!
//! Prints the same line of JSON. Rules that the engine refuses end it with status 3.

use quamina::QuaminaBuilder;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Instant;

const LISTED: usize = 1000;

fn fail(status: i32, text: String) -> ! {
    eprintln!("match-quamina: {text}");
    std::process::exit(status);
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| fail(2, format!("{path}: {e}")))
}

fn peak_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

fn matches_json(names: &[&String], matches: &[u64], passes: u64) -> String {
    if names.len() > LISTED {
        return matches.iter().map(|sum| sum / passes).sum::<u64>().to_string();
    }
    let members: BTreeMap<_, _> = names.iter().zip(matches.iter().map(|sum| sum / passes)).collect();
    serde_json::to_string(&members).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let repeat: u64 = arguments.get(3).and_then(|text| text.parse().ok()).unwrap_or(0);
    if arguments.len() != 4 || repeat < 1 {
        fail(2, "usage: match-quamina RULES EVENTS REPEAT".into());
    }
    let events = read(&arguments[2]);
    let started = Instant::now();
    let text = read(&arguments[1]);
    let rules: BTreeMap<String, &RawValue> =
        serde_json::from_slice(&text).unwrap_or_else(|e| fail(2, format!("RULES: {e}")));
    // The default budget of 10 MB a field would refuse the larger sets.
    let mut engine = QuaminaBuilder::<u32>::new().with_arena_byte_budget(1 << 32).build().unwrap();
    for (id, (name, rule)) in rules.iter().enumerate() {
        if let Err(e) = engine.add_pattern(id as u32, rule.get()) {
            fail(3, format!("{name}: {e}"));
        }
    }
    let build_s = started.elapsed().as_secs_f64();

    let names: Vec<&String> = rules.keys().collect();
    let mut matches = vec![0u64; names.len()];
    let mut count = 0u64;
    let started = Instant::now();
    for _ in 0..repeat {
        for event in events.split(|byte| *byte == b'\n').filter(|event| !event.is_empty()) {
            match engine.matches_for_event(event) {
                Ok(ids) => ids.into_iter().for_each(|id| matches[id as usize] += 1),
                Err(e) => fail(2, format!("event {count}: {e}")),
            }
            count += 1;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{{\"engine\": \"quamina-rs\", \"build_s\": {build_s:.4}, \"events\": {count}, \
         \"seconds\": {seconds:.4}, \"events_per_s\": {:.0}, \"matches\": {}, \"peak_rss_mb\": {:.1}}}",
        count as f64 / seconds,
        matches_json(&names, &matches, repeat),
        peak_rss_mb()
    );
}

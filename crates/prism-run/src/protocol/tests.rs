//! Shipped protocols are whole; a malformed one is refused by the key at fault.

use std::path::Path;

use super::*;

const GOOD: &str = r#"
id = "mine"
name = "Mine"
steps = 6
source = "hidden_state"
exit = "token"
cap = 12

[[blocks]]
stage = "target"
start = "<think>"
end = "</think>"
forwards = 5
"#;

fn parse(text: &str) -> Result<Protocol> {
    Protocol::parse(text, Path::new("mine.toml"))
}

#[test]
fn every_shipped_protocol_is_whole() {
    for id in Protocol::preset_ids() {
        let protocol = Protocol::load(id).unwrap();
        assert_eq!(protocol.id, id);
        assert!(protocol.depends_on_steps());
        // Each that a token opens can be left at its end token too.
        let token = ExitChoice { kind: Some(ExitKind::Token), ..ExitChoice::default() };
        let left = protocol.exit(&token).map(Exit::kind);
        assert_eq!(left.ok(), (protocol.trigger != Trigger::AfterPrompt).then_some(ExitKind::Token), "{id}");
        // What is written down is read back the same.
        assert_eq!(parse(&toml::to_string(&protocol).unwrap()).unwrap(), protocol);
    }
}

#[test]
fn the_shipped_lengths_are_the_published_ones() {
    let forwards = |id: &str| {
        let protocol = Protocol::load(id).unwrap();
        protocol.blocks.iter().map(|b| (b.stage, b.length().of(protocol.steps))).collect::<Vec<_>>()
    };
    assert_eq!(forwards("lvr"), [(Stage::Target, 8)]);
    assert_eq!(forwards("p-lvr"), [(Stage::Target, 8), (Stage::Context, 16), (Stage::Target, 8)]);
    for (id, steps) in [("monet", 10), ("mirage", 8), ("skila", 54), ("ilvr", 8), ("laser", 8), ("swimbird", 64), ("realvr", 8)] {
        assert_eq!(forwards(id), [(Stage::Target, steps)], "{id}");
    }
    // CoLT's three and the one that the first decoding forward reads; IVT-LR's three.
    assert_eq!((forwards("colt"), forwards("ivtlr")), (vec![(Stage::Target, 4)], vec![(Stage::Target, 3)]));
}

#[test]
fn single_keys_are_set_otherwise() {
    let set = |pairs: &[(&str, &str)]| -> Vec<(String, String)> { pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect() };
    let laser = Protocol::load_with("laser", &set(&[("repetition", "3"), ("blocks.0.times", "2"), ("generation.top_k", "5")])).unwrap();
    assert_eq!((laser.repetition, laser.blocks[0].times, laser.generation.top_k), (Some(3), Some(2), Some(5)));
    let named = Protocol::load_with("monet", &set(&[("name", "Mine"), ("prompt.after", "<|im_start|>assistant")])).unwrap();
    assert_eq!((named.name.as_str(), named.prompt.after.as_deref()), ("Mine", Some("<|im_start|>assistant")));
    for (key, value, words) in [
        ("repetitions", "3", "repetitions"),
        ("repetition", "1", "repetition"),
        ("blocks.7.times", "2", "blocks"),
        ("name.first", "x", "name"),
    ] {
        let message = Protocol::load_with("laser", &set(&[(key, value)])).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains("--set"), "{message}");
    }
}

#[test]
fn rules_that_do_not_go_together_are_refused_by_their_key() {
    let with = |key: &str, text: &str| {
        let base = GOOD.replace("exit = \"token\"", &format!("exit = \"token\"\n{text}"));
        let message = parse(&base).unwrap_err().to_string();
        assert!(message.contains(&format!("key `{key}`")), "{text}: {message}");
    };
    with("pad", "append = \"pad\"");
    with("pad", "pad = \"<pad>\"");
    with("append", "append = \"nothing\"");
    with("then", "then = \"<answer>\"");
    with("repetition", "repetition = 3");
    with("start_inside", "start_inside = \"restarts\"");
    with("count", "count = \"sequence\"");
    with("blocks[0].start", "trigger = \"after-prompt\"");
    with("stop_texts", "stop_texts = [\"\"]");
    assert!(parse(&format!("{GOOD}insert = 3\n")).unwrap_err().to_string().contains("blocks[0].insert"));
    assert!(parse(&format!("{GOOD}\n[pixels]\nmin = 9\nmax = 4\n")).unwrap_err().to_string().contains("pixels.min"));
    assert!(parse(&format!("{GOOD}\n[generation]\ntop_p = 2.0\n")).unwrap_err().to_string().contains("generation.top_p"));
}

#[test]
fn a_file_of_ones_own_is_read() {
    let protocol = parse(GOOD).unwrap();
    assert_eq!(protocol.blocks[0].length(), Length::Forwards(5));
    assert!(!protocol.depends_on_steps() && !protocol.head && protocol.repeat);
    assert_eq!(protocol.exit(&ExitChoice::default()).unwrap(), Exit::Token { cap: Some(12) });
    // The declared cap is the declared exit's.
    let asked = ExitChoice { kind: Some(ExitKind::Latent), threshold: Some(0.5), ..ExitChoice::default() };
    assert_eq!(protocol.exit(&asked).unwrap(), Exit::Latent { criterion: Criterion::Mse, threshold: 0.5, cap: None });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, GOOD).unwrap();
    assert_eq!(Protocol::load(path.to_str().unwrap()).unwrap(), protocol);
}

#[test]
fn a_malformed_one_is_refused_by_its_key() {
    for (from, to, words) in [
        ("id = \"mine\"", "id = \"../mine\"", "key `id`"),
        ("steps = 6", "steps = 0", "key `steps`"),
        ("steps = 6", "steps = -1", "steps"),
        ("steps = 6", "step = 6", "step"),
        ("source = \"hidden_state\"", "source = \"logits\"", "source"),
        ("exit = \"token\"", "exit = \"soon\"", "exit"),
        ("exit = \"token\"", "exit = \"steps\"", "cap"),
        ("cap = 12", "threshold = 0.1", "distance"),
        ("cap = 12", "cap = 0", "range"),
        ("stage = \"target\"", "stage = \"free\"", "blocks[0].stage"),
        ("stage = \"target\"", "stage = \"later\"", "stage"),
        ("start = \"<think>\"", "start = \"\"", "blocks[0].start"),
        ("start = \"<think>\"\n", "", "start"),
        ("end = \"</think>\"", "end = \"<think>\"", "blocks[0].end"),
        ("end = \"</think>\"\n", "", "blocks[0].end"),
        ("forwards = 5", "forwards = 5\ntimes = 1", "blocks[0].times"),
        ("forwards = 5", "forwards = 0", "blocks[0].forwards"),
        ("forwards = 5", "forwards = 99999", "blocks[0].forwards"),
        ("forwards = 5", "forwards = 5\nlength = 3", "length"),
        ("[[blocks]]", "[[blocks]", "mine.toml"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let message = parse(&text).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains("mine.toml"), "{to}: {message}");
    }
    let none = GOOD.split("[[blocks]]").next().unwrap();
    assert!(parse(none).unwrap_err().to_string().contains("blocks"));
    assert!(parse(&format!("{none}blocks = []")).unwrap_err().to_string().contains("key `blocks`"));
    let twice = format!("{GOOD}{}", &GOOD[none.len()..]);
    assert!(parse(&twice).unwrap_err().to_string().contains("blocks[1].start"));
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let message = Protocol::load("coconut").unwrap_err().to_string();
    assert!(message.contains("coconut") && message.contains("lvr, p-lvr, monet, mirage, skila"), "{message}");
    assert!(Protocol::load("absent.toml").unwrap_err().to_string().contains("absent.toml"));
}

#[test]
fn an_exit_at_a_token_needs_the_token() {
    let protocol = parse(&GOOD.replace("end = \"</think>\"\n", "").replace("exit = \"token\"\ncap = 12", "exit = \"steps\"")).unwrap();
    let asked = ExitChoice { kind: Some(ExitKind::Token), ..ExitChoice::default() };
    let message = protocol.exit(&asked).unwrap_err().to_string();
    assert!(message.contains("<think>") && message.contains("mine"), "{message}");
}

#[test]
fn the_answers_rules_are_named_or_the_tag() {
    assert_eq!(parse(GOOD).unwrap().answer, None);
    let named = parse(&GOOD.replace("cap = 12", "cap = 12\nanswer = \"boxed,letter\"")).unwrap();
    assert_eq!(named.answer.as_ref().map(ToString::to_string).as_deref(), Some("boxed,letter"));
    assert_eq!(parse(&toml::to_string(&named).unwrap()).unwrap(), named);
    let told = parse(&GOOD.replace("cap = 12", "cap = 12\nanswer = \"box\"")).unwrap_err().to_string();
    assert!(told.contains("answer") && told.contains("boxed"), "{told}");
}

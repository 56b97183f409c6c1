//! Shipped protocols are whole; a malformed one is refused by the key at fault.

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
        assert!(protocol.depends_on_steps() && protocol.repeat);
        // Each can be left at its end token too.
        let token = ExitChoice { kind: Some(ExitKind::Token), ..ExitChoice::default() };
        assert_eq!(protocol.exit(&token).unwrap().kind(), ExitKind::Token);
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
    assert_eq!((forwards("monet"), forwards("skila")), (vec![(Stage::Target, 10)], vec![(Stage::Target, 27)]));
    let mirage = Protocol::load("mirage").unwrap();
    assert_eq!(mirage.exit(&ExitChoice::default()).unwrap(), Exit::Token { cap: Some(8) });
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

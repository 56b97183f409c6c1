//! Chat templates against transformers' processors (`oracle/templates.py`): which file's, and the text.

mod common;

use prism_model::tokenizer::ChatTemplate;
use prism_model::tokenizer::template::Begins;
use prism_model::tokenizer::template::{Content, Message};
use serde_json::Value;

fn messages(chat: &Value) -> Vec<Message> {
    let part = |part: &Value| match part["type"].as_str().unwrap() {
        "image" => Content::Image,
        _ => Content::Text(part["text"].as_str().unwrap().into()),
    };
    let message = |message: &Value| Message {
        role: message["role"].as_str().unwrap().into(),
        content: message["content"].as_array().unwrap().iter().map(part).collect(),
    };
    chat.as_array().unwrap().iter().map(message).collect()
}

#[test]
fn every_text_is_equal_and_what_transformers_refuses_is_refused() {
    let document = common::json_at(&common::fixture("templates/cases.json"));
    let cases = document["cases"].as_array().unwrap();
    assert!(cases.len() >= 100, "{}", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tokenizer_config.json", "special_tokens_map.json"] {
            std::fs::write(folder.path().join(name), document[name].as_str().unwrap()).unwrap();
        }
        for (name, content) in case["files"].as_object().unwrap() {
            std::fs::write(folder.path().join(name), content.as_str().unwrap()).unwrap();
        }
        let chat = messages(&document["chats"][case["chat"].as_str().unwrap()]);
        let answer = case["answer"].as_bool().unwrap();
        let ours = ChatTemplate::from_dir(folder.path())
            .and_then(|template| template.render_until(&chat, if answer { Begins::Assistant } else { Begins::No }));
        match (&ours, case["text"].as_str()) {
            (Ok(text), Some(wanted)) if text == wanted => {}
            (Err(_), None) => {}
            _ => wrong.push(format!("{} {}: {ours:?} against {}", case["name"], case["chat"], case["text"])),
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), cases.len());
}

#[test]
fn a_template_without_a_word_is_refused_by_the_name_of_its_file() {
    for content in ["", " \n\t\r\n"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chat_template.jinja"), content).unwrap();
        let said = ChatTemplate::from_dir(folder.path()).unwrap_err().to_string();
        assert!(said.contains("chat_template.jinja") && said.contains("empty"), "{said}");
    }
}

#[test]
fn what_would_fill_a_machine_is_refused() {
    for (source, says) in [
        ("{% for i in [1] %}{{ loop.cycle() }}{% endfor %}", "failed"),
        ("{{ '%100000000d' % 5 }}", "wider"),
        ("{{ '{:>1000000000}'.format('a') }}", "100000 characters"),
        ("{{ 'a'.ljust(1000000000) }}", "100000 characters"),
        ("{% set n = namespace(a=['x' * 1000]) %}{% for i in range(60) %}{% set n.a = n.a + n.a %}{% endfor %}{{ n.a | join }}", "no end"),
        ("{{ 'x' * 100000 * 500 }}", "bytes"),
    ] {
        let template = ChatTemplate::new(source.into(), std::path::Path::new("chat_template.jinja")).unwrap();
        let said = template.render(&[Message::user(1, "a")]).unwrap_err().to_string();
        assert!(said.contains(says) && said.contains("chat_template.jinja"), "{source}: {said}");
    }
}

#[test]
fn a_source_that_nests_without_end_is_compiled_or_refused() {
    let path = std::path::Path::new("chat_template.jinja");
    let deep = format!("{{% if 0 %}}{}{{% endif %}}x", "{% elif 0 %}".repeat(20_000));
    let template = ChatTemplate::new(deep, path).unwrap();
    assert_eq!(template.render(&[Message::user(1, "a")]).unwrap(), "x");
    let cycle = "{% set ns = namespace(a=1) %}{% set ns.a = ns %}{{ ns.a == ns.a }}";
    for (source, says) in [("x".repeat(300_000), "bytes long"), (cycle.into(), "the namespace `ns`")] {
        assert!(ChatTemplate::new(source, path).unwrap_err().to_string().contains(says));
    }
}

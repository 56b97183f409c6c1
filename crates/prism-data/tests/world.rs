//! The world's files: balanced, disjoint, reproducible, and what the readers read.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use prism_data::world::{Kind, Object, Question, Scene, Split, Word, World, WorldConfig, is_held_out, render};
use prism_data::{read_benchmark, read_partners, read_training};
use prism_run::{Cancel, Silent};

fn small(seed: u64) -> WorldConfig {
    WorldConfig { seed, train_images: 30, train_questions: 60, test_questions: 40, ..WorldConfig::default() }
}

fn world(seed: u64) -> World {
    small(seed).check().unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut pending) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(at) = pending.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn same_seed_same_bytes_whatever_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    for (name, seed, threads) in [("a", 5, 1), ("b", 5, 4), ("c", 6, 1)] {
        world(seed).write(&dir.path().join(name), threads, &Silent, &Cancel::default()).unwrap();
    }
    let [a, b, c] = ["a", "b", "c"].map(|name| files(&dir.path().join(name)));
    assert!(a == b, "the same seed gave other bytes");
    assert!(a != c, "another seed gave the same bytes");
    assert_eq!(a.len(), 6 + 30 + 80);
    assert!(!dir.path().join("a.tmp").exists());
}

#[test]
fn the_readers_read_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("world");
    world(1).write(&folder, 2, &Silent, &Cancel::default()).unwrap();

    let records = read_training(&folder, None).unwrap();
    assert_eq!(records.len(), 60);
    for (row, record) in records.iter().enumerate() {
        assert_eq!((record.row, record.id.as_str()), (row, format!("world/{row}").as_str()));
        let turn = &record.turns[0];
        assert_eq!(turn.question, format!("<image>\n{}", record.text.as_deref().unwrap()));
        let marks = "<lvr>".repeat(record.boxes.len());
        assert_eq!(turn.answer, format!("{marks}\n<answer> {} </answer>", record.label.as_deref().unwrap()));
    }

    let examples = read_benchmark(&folder).unwrap();
    let partners = read_partners(&folder).unwrap();
    assert_eq!((examples.len(), partners.len()), (40, 40));
    let both = read_benchmark(&folder.join("test_paired.jsonl")).unwrap();
    assert_eq!(both.len(), 80);
    for (pair, (example, partner)) in both.chunks_exact(2).zip(examples.iter().zip(&partners)) {
        assert_eq!((&pair[0].id, &pair[1].id), (&example.id, &partner.id));
    }
    for (example, partner) in examples.iter().zip(&partners) {
        assert_eq!(example.counterfactual.as_deref(), Some(partner.id.as_str()));
        assert_eq!(partner.counterfactual.as_deref(), Some(example.id.as_str()));
        assert_eq!((&example.prompt, &example.options), (&partner.prompt, &partner.options));
        assert_ne!(example.label, partner.label);
        let position = example.category.as_deref() == Some("relative_position");
        assert_eq!((example.options.len(), example.boxes.len()), if position { (2, 2) } else { (4, 1) });
        assert!(example.prompt.ends_with("\n\nAnswer with the option's letter from the given choices directly."));
    }
    // Training data reads as questions too.
    let as_questions = read_benchmark(&folder.join("train.json")).unwrap();
    assert_eq!(as_questions[3].prompt, records[3].text.clone().unwrap());
    let config: WorldConfig = toml::from_str(&std::fs::read_to_string(folder.join("world.toml")).unwrap()).unwrap();
    assert_eq!(config, small(1));
}

#[test]
fn labels_balance_within_each_kind() {
    let config = WorldConfig { train_images: 480, train_questions: 960, test_questions: 480, ..WorldConfig::default() };
    let world = config.check().unwrap();
    for split in [Split::Train, Split::Test] {
        let wishes = world.wishes(split);
        for kind in Kind::ALL {
            let of_kind: Vec<_> = wishes.iter().filter(|w| w.kind == kind).collect();
            let even = |counts: BTreeMap<_, usize>| counts.values().max().unwrap() - counts.values().min().unwrap() <= 1;
            let count = |key: fn(&prism_data::world::Wish) -> (usize, bool)| {
                let mut counts = BTreeMap::new();
                for wish in &of_kind {
                    *counts.entry(key(wish)).or_default() += 1;
                }
                counts
            };
            assert!(even(count(|w| (w.answer, false))), "{kind:?}: letters");
            if kind.is_position() {
                assert!(even(count(|w| (w.answer, w.first_side))), "{kind:?}: letters and sides");
            } else {
                assert!(even(count(|w| (w.answer * 4 + w.partner, false))), "{kind:?}: letter pairs");
            }
        }
    }
}

#[test]
fn scenes_say_what_their_labels_say() {
    let world = world(2);
    let separation = world.config().separation;
    let wishes = world.wishes(Split::Train);
    for index in 0..30 {
        let made = world.train_scene(&wishes, index);
        for (row, question) in &made.questions {
            assert_eq!((question.kind, question.answer), (wishes[*row].kind, wishes[*row].answer));
            assert_eq!(question.truth(&made.scene, separation), Some(question.answer_word()));
            let distinct: HashSet<_> = question.options.iter().collect();
            assert_eq!(distinct.len(), question.options.len());
        }
    }
    for (index, wish) in world.wishes(Split::Test).into_iter().enumerate() {
        let pair = world.test_pair(wish, index);
        assert_eq!(pair.question.truth(&pair.scene, separation), Some(pair.question.answer_word()));
        assert_eq!(pair.partner.truth(&pair.partner_scene, separation), Some(pair.partner.answer_word()));
        assert_eq!(pair.question.text(&pair.scene), pair.partner.text(&pair.partner_scene), "the same words");
        // One object differs, the target; the pixels away from it are the same.
        let changed: Vec<usize> =
            (0..pair.scene.objects.len()).filter(|&i| pair.scene.objects[i] != pair.partner_scene.objects[i]).collect();
        assert_eq!(changed, [pair.question.target]);
        let (before, after) = (render(&pair.scene), render(&pair.partner_scene));
        assert_ne!(before, after);
        let side = pair.scene.side as usize;
        let around = [pair.scene.objects[changed[0]], pair.partner_scene.objects[changed[0]]];
        for (at, (b, a)) in before.chunks(3).zip(after.chunks(3)).enumerate() {
            let (x, y) = ((at % side) as u32, (at / side) as u32);
            let inside = around.iter().any(|o| (o.left..o.left + o.size).contains(&x) && (o.top..o.top + o.size).contains(&y));
            assert!(inside || a == b, "pixel {x}, {y} of pair {index}");
        }
    }
}

#[test]
fn nothing_asked_in_the_test_was_ever_seen_in_training() {
    // Different seeds too: a base trained on one world is tested on another.
    let train = world(3);
    let wishes = train.wishes(Split::Train);
    for index in 0..30 {
        assert!(train.train_scene(&wishes, index).scene.objects.iter().all(|o| !is_held_out(o)));
        assert!(train.base_scene(index).objects.iter().all(|o| !is_held_out(o)));
    }
    let test = world(4);
    for (index, wish) in test.wishes(Split::Test).into_iter().enumerate() {
        let pair = test.test_pair(wish, index);
        for (scene, question) in [(&pair.scene, &pair.question), (&pair.partner_scene, &pair.partner)] {
            assert!(question.asked().all(|i| is_held_out(&scene.objects[i])));
        }
    }
}

/// Share of `n` questions that a rule answers which never looks for the object asked about: `credit` of how many objects
/// show each option, how many *other* objects do, and the right one.
fn shortcut(asked: &[(Scene, Question)], credit: impl Fn(&[usize], &[usize]) -> Vec<bool>) -> f64 {
    let of = |(scene, question): &(Scene, Question)| {
        let look = |word: &Word, o: &Object| match word {
            Word::Colour(c) => o.colour == *c,
            Word::Shape(s) => o.shape == *s,
            Word::Side(_) => false,
        };
        let shown: Vec<usize> = question.options.iter().map(|w| scene.objects.iter().filter(|o| look(w, o)).count()).collect();
        let others: Vec<usize> =
            question.options.iter().zip(&shown).map(|(w, n)| n - usize::from(look(w, &scene.objects[question.target]))).collect();
        let chosen = credit(&shown, &others);
        let n = chosen.iter().filter(|c| **c).count().max(1) as f64;
        if chosen[question.answer] { 1.0 / n } else { 0.0 }
    };
    asked.iter().map(of).sum::<f64>() / asked.len() as f64
}

#[test]
fn other_objects_do_not_give_the_answer_away_and_partners_are_no_harder() {
    let config = WorldConfig {
        train_images: 3000,
        train_questions: 3000,
        test_questions: 3000,
        position_share: 0.0,
        objects: 5,
        image_side: 112,
        size_min: 18,
        size_max: 28,
        ..WorldConfig::default()
    };
    let world = config.check().unwrap();
    let wishes = world.wishes(Split::Train);
    let train = (0..3000).map(|index| {
        let made = world.train_scene(&wishes, index);
        (made.scene, made.questions[0].1.clone())
    });
    let (mut originals, mut partners) = (Vec::new(), Vec::new());
    for (index, wish) in world.wishes(Split::Test).into_iter().enumerate() {
        let pair = world.test_pair(wish, index);
        originals.push((pair.scene, pair.question));
        partners.push((pair.partner_scene, pair.partner));
    }
    let extreme = |counts: &[usize], most: bool| {
        let value = if most { counts.iter().max() } else { counts.iter().min() };
        counts.iter().map(|c| Some(c) == value).collect::<Vec<bool>>()
    };
    for kind in [Kind::ColourOf, Kind::ShapeOf] {
        let of = |asked: &[(Scene, Question)]| asked.iter().filter(|(_, q)| q.kind == kind).cloned().collect::<Vec<_>>();
        let [train, originals, partners] = [of(&train.clone().collect::<Vec<_>>()), of(&originals), of(&partners)];
        for asked in [&train, &originals, &partners] {
            // "The option that no other object shows" once answered 93 of 100 shape questions and 20 of 100 partners.
            let by_elimination = shortcut(asked, |_, others| extreme(others, false));
            let common_elsewhere = shortcut(asked, |_, others| extreme(others, true));
            let most = shortcut(asked, |shown, _| extreme(shown, true));
            let fewest = shortcut(asked, |shown, _| extreme(shown, false));
            let present = shortcut(asked, |shown, _| shown.iter().map(|n| *n > 0).collect());
            println!(
                "{kind:?} elimination {by_elimination:.3} {common_elsewhere:.3} most {most:.3} fewest {fewest:.3} present {present:.3}"
            );
            assert!((by_elimination - 0.25).abs() < 0.04 && (common_elsewhere - 0.25).abs() < 0.04);
            assert!(most < 0.4 && fewest < 0.25 && present < 0.45);
        }
        // An original and its partner are two draws of one kind.
        let shown = |asked: &[(Scene, Question)], n| shortcut(asked, |shown, _| shown.iter().map(|s| *s == n).collect());
        for n in 0..4 {
            let (original, partner) = (shown(&originals, n), shown(&partners, n));
            assert!((original - partner).abs() < 0.05, "{kind:?}: options shown by {n}: {original} against {partner}");
        }
    }
}

#[test]
fn one_object_alone_does_not_settle_a_position() {
    let config = WorldConfig { train_images: 3000, train_questions: 3000, position_share: 1.0, ..WorldConfig::default() };
    let world = config.check().unwrap();
    let wishes = world.wishes(Split::Train);
    let mut hits = 0;
    for index in 0..3000 {
        let made = world.train_scene(&wishes, index);
        let (_, question) = &made.questions[0];
        let (x, y) = made.scene.objects[question.target].centre();
        let first = if question.kind == Kind::Horizontal { x } else { y } < f64::from(made.scene.side) / 2.0;
        hits += usize::from(first == wishes[index].first_side);
    }
    let share = hits as f64 / 3000.0;
    println!("from the target's place alone {share}");
    assert!(share < 0.7, "the target's half of the image settles {share} of the questions");
}

#[test]
fn a_world_replaces_only_a_world() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = dir.path().join("home");
    std::fs::create_dir(&stranger).unwrap();
    std::fs::write(stranger.join("letter.txt"), "dear").unwrap();
    let message = world(1).write(&stranger, 1, &Silent, &Cancel::default()).unwrap_err().to_string();
    assert!(message.contains("is not a world") && stranger.join("letter.txt").exists(), "{message}");

    let cancel = Cancel::default();
    cancel.request();
    let fresh = dir.path().join("fresh");
    assert!(world(1).write(&fresh, 1, &Silent, &cancel).is_err());
    assert!(!fresh.exists() && !dir.path().join("fresh.tmp").exists(), "an interruption leaves nothing");
}

#[test]
fn a_recipe_is_checked() {
    let message = |edit: fn(&mut WorldConfig)| {
        let mut config = WorldConfig::default();
        edit(&mut config);
        config.check().unwrap_err().to_string()
    };
    assert!(message(|c| c.image_side = 170).contains("`image_side` is 170; give a multiple of 28"));
    assert!(message(|c| c.objects = 1).contains("`objects`"));
    assert!(message(|c| c.objects = 40).contains("% of the image"));
    assert!(message(|c| c.size_min = 4).contains("`size_min`"));
    assert!(message(|c| c.size_max = 10).contains("`size_max`"));
    assert!(message(|c| c.noise = f64::NAN).contains("`noise`"));
    assert!(message(|c| c.separation = [90, 100]).contains("`separation` is [90, 100]"));
    assert!(message(|c| c.position_share = 1.5).contains("`position_share`"));
    assert!(message(|c| c.train_questions = 10).contains("`train_questions`"));
    assert!(message(|c| c.test_questions = 0).contains("`test_questions`"));
    let unknown = prism_run::safe_toml::from_str::<WorldConfig>("objekts = 3", Path::new("world.toml")).unwrap_err().to_string();
    assert!(unknown.contains("objekts"), "{unknown}");
}

#[test]
fn worlds_at_the_edge_of_the_recipe_are_made() {
    let edges = [
        (56, 2, 8, 12, [18, 26]),
        (168, 64, 8, 8, [20, 40]),
        (168, 11, 30, 30, [56, 64]),
        (28, 2, 8, 8, [4, 12]),
        (336, 8, 16, 30, [20, 336]),
    ];
    for (image_side, objects, size_min, size_max, separation) in edges {
        let config = WorldConfig { image_side, objects, size_min, size_max, separation, train_questions: 120, ..small(1) };
        let world = config.check().unwrap();
        let wishes = world.wishes(Split::Train);
        for index in 0..30 {
            assert_eq!(world.train_scene(&wishes, index).questions.len(), 4);
        }
        for (index, wish) in world.wishes(Split::Test).into_iter().enumerate() {
            world.test_pair(wish, index);
        }
    }
}

#[test]
fn the_preview_is_an_image() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sheets/sheet.png");
    world(1).write_preview(&path).unwrap();
    let (width, height) = image::image_dimensions(&path).unwrap();
    assert!(width > 1000 && height > 1000, "{width} x {height}");
}

//! Which questions are asked, fixed before any scene is drawn, so that kinds and
//! labels balance exactly: within a kind, letters (and letter pairs of partners, and
//! sides) differ in number by at most one.

use prism_run::random::Stream;

use super::config::World;
use super::counterfactual;
use super::question::{Kind, Question, Wish, ask};
use super::scene::{Scene, Split, is_held_out};

/// A training scene and its questions.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainScene {
    /// The scene.
    pub scene: Scene,
    /// Its questions with their rows in the training file.
    pub questions: Vec<(usize, Question)>,
}

/// A test example with its partner.
#[derive(Debug, Clone, PartialEq)]
pub struct TestPair {
    /// The scene.
    pub scene: Scene,
    /// The question about it.
    pub question: Question,
    /// The partner's scene.
    pub partner_scene: Scene,
    /// The same question with the partner's answer.
    pub partner: Question,
}

impl World {
    /// The questions of `split`, shuffled.
    pub fn wishes(&self, split: Split) -> Vec<Wish> {
        let config = self.config();
        let count = if split == Split::Train { config.train_questions } else { config.test_questions };
        let positions = (count as f64 * config.position_share).round() as usize;
        let attributes = count - positions;
        let shares = [attributes.div_ceil(2), attributes / 2, positions.div_ceil(2), positions / 2];
        let mut wishes = Vec::with_capacity(count);
        for (kind, n) in Kind::ALL.into_iter().zip(shares) {
            wishes.extend((0..n).map(|i| {
                let options = if kind.is_position() { 2 } else { 4 };
                let answer = i % options;
                let partner = (answer + 1 + (i / options) % (options - 1)) % options;
                Wish { kind, answer, partner, first_side: (i / 2) % 2 == 0 }
            }));
        }
        Stream::new(config.seed, "world plan", &[split.name()]).shuffle(&mut wishes);
        wishes
    }

    /// Training scene `index`, with the questions `index`, `index + train_images`, ...
    /// of [`World::wishes`]. They differ in what they ask about, unless scenes are too
    /// poor for that.
    pub fn train_scene(&self, wishes: &[Wish], index: usize) -> TrainScene {
        let config = self.config();
        let mut stream = self.stream(Split::Train, index);
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut scene = self.scene(&mut stream, Split::Train);
            let mut questions: Vec<(usize, Question)> = Vec::new();
            let rows = (index..wishes.len()).step_by(config.train_images);
            for row in rows.clone() {
                let wish = wishes[row];
                let asked = ask(&scene, wish, config.separation, &mut stream, |posed, target, reference| {
                    let new = !questions.iter().any(|(_, q)| (q.kind, q.target, q.reference) == (wish.kind, target, reference));
                    (new || attempts > 100) && !is_held_out(&posed.objects[target])
                });
                let Some((posed, question)) = asked else { break };
                scene = posed;
                questions.push((row, question));
            }
            // A later question may have changed what an earlier one is about.
            let all = questions.iter().all(|(_, question)| question.holds_in(&scene, config.separation));
            if all && questions.len() == rows.count() {
                return TrainScene { scene, questions };
            }
        }
    }

    /// Test example `index` for its wish, with its partner.
    pub fn test_pair(&self, wish: Wish, index: usize) -> TestPair {
        let separation = self.config().separation;
        let mut stream = self.stream(Split::Test, index);
        loop {
            let scene = self.scene(&mut stream, Split::Test);
            let held_out = |scene: &Scene, target: usize, reference: Option<usize>| {
                std::iter::once(target).chain(reference).all(|i| is_held_out(&scene.objects[i]))
            };
            let Some((scene, question)) = ask(&scene, wish, separation, &mut stream, held_out) else { continue };
            if let Some((partner_scene, partner)) = counterfactual::partner(&scene, &question, wish, separation, &mut stream) {
                return TestPair { scene, question, partner_scene, partner };
            }
        }
    }

    fn stream(&self, split: Split, index: usize) -> Stream {
        Stream::new(self.config().seed, "world scene", &[split.name(), &index.to_string()])
    }
}

//! The training loop on a task small enough to see through: a linear regression.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use prism_model::tensor::{Device, Tensor, Var};
use prism_run::random::Stream;
use prism_run::{Cancel, Silent};
use prism_train::objective::Terms;
use prism_train::order::{Order, Place};
use prism_train::trainer::{self, Surroundings};
use prism_train::{Error, Parameters, Result, Task, TrainConfig, Workers, log, state};

const SAMPLES: usize = 23;

struct Regression {
    weight: Var,
    bias: Var,
    order: Order,
    cancel: Cancel,
    stop_at: usize,
    losses: AtomicUsize,
}

impl Regression {
    fn new(folder: Option<&Path>, cancel: Cancel, stop_at: usize) -> Self {
        let values: Vec<f32> = match folder {
            Some(folder) => {
                std::fs::read(folder.join("weights")).unwrap().chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
            }
            None => Stream::new(1, "weights", &[]).normals(13),
        };
        let var = |v: &[f32], shape: &[usize]| Var::from_tensor(&Tensor::from_slice(v, shape, &Device::Cpu).unwrap()).unwrap();
        let (weight, bias) = (var(&values[..12], &[3, 4]), var(&values[12..], &[1]));
        Self { weight, bias, order: Order::new(5, SAMPLES, Place::default()), cancel, stop_at, losses: AtomicUsize::new(0) }
    }

    fn values(&self) -> Vec<f32> {
        let flat = |v: &Var| v.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        [flat(&self.weight), flat(&self.bias)].concat()
    }
}

impl Task for Regression {
    type Pack = usize;

    fn name(&self) -> &str {
        "regression"
    }

    fn corpus(&self) -> &str {
        "23 draws"
    }

    fn samples(&self) -> usize {
        SAMPLES
    }

    fn parameters(&self) -> Parameters {
        Parameters::new([("weight".to_owned(), self.weight.clone()), ("x.bias".to_owned(), self.bias.clone())])
    }

    fn seek(&mut self, place: Place) {
        self.order = Order::new(5, SAMPLES, place);
    }

    fn packs(&mut self, _: &Workers) -> Result<(Vec<usize>, Place)> {
        Ok(((0..6).map(|_| self.order.draw().0).collect(), self.order.place()))
    }

    fn loss(&self, step: usize, pack: &usize) -> Result<(Tensor, Terms)> {
        if self.losses.fetch_add(1, Ordering::Relaxed) + 1 == self.stop_at * 6 {
            self.cancel.request();
        }
        let draws = |what: &str, n: usize| Stream::new(2, what, &[&pack.to_string(), &step.to_string()]).normals(n);
        let tensor = |v: Vec<f32>, shape: (usize, usize)| Tensor::from_vec(v, shape, &Device::Cpu).unwrap();
        let (x, y) = (tensor(draws("x", 15), (5, 3)), tensor(draws("y", 20), (5, 4)));
        let prediction = x.matmul(&self.weight).and_then(|p| p.broadcast_add(&self.bias)).unwrap();
        let loss = (prediction - y).and_then(|d| d.sqr()).and_then(|s| s.mean_all()).unwrap();
        let total = f64::from(loss.to_scalar::<f32>().unwrap());
        Ok((loss, Terms { ce: total, latent: None, diversity: None, total, tokens: 5 }))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let bytes: Vec<u8> = self.values().iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(folder.join("weights"), bytes).map_err(|e| Error::io("cannot write", folder, e))
    }
}

fn config(workers: usize) -> TrainConfig {
    TrainConfig { steps: 20, learning_rate: 0.05, warmup: 0.1, checkpoint_every: 8, keep: 1, workers, ..TrainConfig::default() }
}

fn train(folder: &Path, workers: usize, start: Option<&Path>, stop_at: usize) -> Result<trainer::Outcome> {
    let cancel = Cancel::default();
    let mut task = Regression::new(start, cancel.clone(), stop_at);
    trainer::run(&mut task, &config(workers), start, Surroundings { folder, progress: &Silent, cancel: &cancel })
}

/// Every file of a checkpoint but the configuration in the trainer's state, which names the workers.
fn bytes(folder: &Path) -> Vec<Vec<u8>> {
    ["weights", "optimizer.safetensors"].iter().map(|f| std::fs::read(folder.join(f)).unwrap()).collect()
}

/// The log without what the clock says.
fn steps(folder: &Path) -> Vec<prism_train::StepLog> {
    let steps = log::read(&folder.join("log.jsonl")).unwrap();
    steps.into_iter().map(|s| prism_train::StepLog { tokens_per_second: 0.0, ..s }).collect()
}

#[test]
fn the_number_of_workers_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = [1, 2, 5].iter().map(|w| folder.path().join(format!("{w}"))).collect();
    let ends: Vec<_> = runs.iter().zip([1, 2, 5]).map(|(run, w)| train(run, w, None, 0).unwrap().checkpoint).collect();
    assert!(ends[0].ends_with("checkpoint-20"));
    for other in &ends[1..] {
        assert_eq!(bytes(&ends[0]), bytes(other));
    }
    assert_eq!(steps(&runs[0]), steps(&runs[2]));
    let losses = steps(&runs[0]);
    assert!(losses[19].total < losses[0].total && losses[0].lr == 0.0);
}

#[test]
fn a_run_stopped_and_resumed_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (straight, broken) = (folder.path().join("straight"), folder.path().join("broken"));
    let whole = train(&straight, 2, None, 0).unwrap().checkpoint;
    let error = train(&broken, 2, None, 10).unwrap_err();
    assert!(error.is_interruption(), "{error}");
    assert_eq!(state::checkpoints(&broken).unwrap(), [10]);
    let resumed = train(&broken, 1, Some(&broken.join("checkpoint-10")), 0).unwrap().checkpoint;
    assert_eq!(bytes(&whole), bytes(&resumed));
    assert_eq!(steps(&straight), steps(&broken));
    assert_eq!(state::checkpoints(&broken).unwrap(), [20]);
}

#[test]
fn another_configuration_cannot_resume() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = train(folder.path(), 1, None, 0).unwrap().checkpoint;
    let cancel = Cancel::default();
    let mut task = Regression::new(Some(&checkpoint), cancel.clone(), 0);
    let around = Surroundings { folder: folder.path(), progress: &Silent, cancel: &cancel };
    let error = trainer::run(&mut task, &TrainConfig { seed: 1, ..config(1) }, Some(&checkpoint), around).unwrap_err();
    assert!(error.to_string().contains("`seed`"), "{error}");
}

//! Device, dtype and threads: chosen once, each with the reason printed.

use prism_model::tensor::{DType, Device};

use crate::exit::Refused;

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    /// CUDA when this binary has it and a device answers, else CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The first CUDA device.
    Cuda,
}

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DtypeChoice {
    /// f32 on the CPU, bf16 on CUDA.
    Auto,
    /// Single precision.
    F32,
    /// bfloat16.
    Bf16,
}

/// The choice, with reasons.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// Where tensors live.
    pub device: Device,
    /// Type of weights and activations.
    pub dtype: DType,
    /// Worker threads.
    pub threads: usize,
    device_reason: &'static str,
    dtype_reason: &'static str,
}

impl Hardware {
    /// Resolves the choices and sizes the thread pool.
    ///
    /// # Errors
    /// When a device was asked for that this binary or machine does not have.
    pub fn choose(device: DeviceChoice, dtype: DtypeChoice, threads: Option<usize>) -> anyhow::Result<Self> {
        let (device, device_reason) = match device {
            DeviceChoice::Cpu => (Device::Cpu, "asked for"),
            DeviceChoice::Cuda => (cuda()?, "asked for"),
            DeviceChoice::Auto if cfg!(feature = "cuda") => match cuda() {
                Ok(device) => (device, "a CUDA device answered"),
                Err(_) => (Device::Cpu, "no CUDA device answered"),
            },
            DeviceChoice::Auto => (Device::Cpu, "this binary is built without CUDA"),
        };
        let (dtype, dtype_reason) = match dtype {
            DtypeChoice::F32 => (DType::F32, "asked for"),
            DtypeChoice::Bf16 => (DType::BF16, "asked for"),
            DtypeChoice::Auto if device.is_cpu() => (DType::F32, "exact, and as fast as bf16 on a CPU"),
            DtypeChoice::Auto => (DType::BF16, "the checkpoints' own type, native on the device"),
        };
        let available = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.unwrap_or(available).max(1);
        // A pool that exists already (tests) keeps its size; results do not depend on it.
        let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        Ok(Self { device, dtype, threads, device_reason, dtype_reason })
    }

    /// `cpu` or `cuda`.
    pub fn device_name(&self) -> &'static str {
        if self.device.is_cpu() { "cpu" } else { "cuda" }
    }

    /// `cpu (reason)`.
    pub fn device_line(&self) -> String {
        format!("{} ({})", self.device_name(), self.device_reason)
    }

    /// `f32 (reason)`.
    pub fn dtype_line(&self) -> String {
        format!("{} ({})", self.dtype.as_str(), self.dtype_reason)
    }

    /// The line every command narrates first.
    pub fn line(&self) -> String {
        format!("device {}, dtype {}, {} threads", self.device_line(), self.dtype_line(), self.threads)
    }
}

fn cuda() -> anyhow::Result<Device> {
    if !cfg!(feature = "cuda") {
        anyhow::bail!(Refused(
            "--device cuda: this binary is built without CUDA; build it with `cargo build --release --features cuda`, or use --device cpu"
                .into()
        ));
    }
    Device::new_cuda(0).map_err(|e| Refused(format!("--device cuda: no CUDA device answered ({e}); use --device cpu")).into())
}

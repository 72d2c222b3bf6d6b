"""Puna runs Llama models on CPUs.

>>> import puna
>>> text = "".join(puna.Model(MODEL).session().generate("Hello", max_tokens=4))
>>> isinstance(text, str)
True
"""

from . import ads
from .adapter import Adapter, FinetuneReport
from .chat import ChatText
from .context import Context, ContextInfo
from .engine import AsyncRequest, Engine, EngineInfo, EngineToken, Request, RequestInfo, Reply
from .evaluation import Evaluation, EvaluationInfo, Scores, compare_samples
from .errors import (
    BadFile,
    Busy,
    Cancelled,
    ContextFull,
    Error,
    Internal,
    InvalidArgument,
    InputOutput,
    OutOfMemory,
    Unsupported,
    WrongState,
)
from .grammar import Grammar, Matcher
from .image import Image, ImageInfo
from .labels import Alpha, Answers, Inference, contaminated, duplicates
from .model import Model, ModelInfo, Plan, Tensor, plan
from .native import version
from .pipeline import Feed, Pipeline, Shown
from .ranker import Examples, Outcomes, Ranker, RankerInfo, RankerReport
from .recommender import Recommendation, Recommender, RecommenderInfo, RecommenderReport, User
from .sampler import Sampler, Sampling, SamplingFields
from .serving import Server, serve
from .session import Answer, AnswerOptions, Appended, Drafts, Session, Timings, Token, append_batch
from .tokenizer import Tokenizer
from .tools import Said, ToolCall, ToolParser, Tools

__version__ = version()
__all__ = [
    "Adapter",
    "Alpha",
    "Answer",
    "AnswerOptions",
    "Answers",
    "Appended",
    "AsyncRequest",
    "BadFile",
    "Busy",
    "Cancelled",
    "ChatText",
    "Context",
    "ContextFull",
    "ContextInfo",
    "Drafts",
    "Engine",
    "EngineInfo",
    "EngineToken",
    "Error",
    "Evaluation",
    "EvaluationInfo",
    "Examples",
    "Feed",
    "FinetuneReport",
    "Grammar",
    "Image",
    "ImageInfo",
    "Inference",
    "InputOutput",
    "Internal",
    "InvalidArgument",
    "Matcher",
    "Model",
    "ModelInfo",
    "OutOfMemory",
    "Outcomes",
    "Pipeline",
    "Plan",
    "Ranker",
    "RankerInfo",
    "RankerReport",
    "Recommendation",
    "Recommender",
    "RecommenderInfo",
    "RecommenderReport",
    "Reply",
    "Request",
    "RequestInfo",
    "Said",
    "Sampler",
    "Sampling",
    "SamplingFields",
    "Scores",
    "Server",
    "Session",
    "Shown",
    "Tensor",
    "Timings",
    "Token",
    "Tokenizer",
    "ToolCall",
    "ToolParser",
    "Tools",
    "Unsupported",
    "User",
    "WrongState",
    "ads",
    "append_batch",
    "contaminated",
    "duplicates",
    "compare_samples",
    "plan",
    "serve",
]

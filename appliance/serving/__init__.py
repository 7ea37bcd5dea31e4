"""The TensorFlow Serving core: versions are aspired, loaded beside the old ones, borrowed, and unloaded in peace.

Sources aspire; the manager loads and unloads, as a policy says and as resources allow; everyone else borrows.
Standard library only.
"""

from appliance.serving.any_manager import AnyManager
from appliance.serving.caching_manager import CachingManager
from appliance.serving.errors import (
    LoadCancelled,
    LoadError,
    LoadRefused,
    NotAvailable,
    NotServing,
    OutOfResources,
    ServingError,
    UnknownResource,
    UnloadError,
)
from appliance.serving.event_bus import EventBus
from appliance.serving.executor import Executor, ExecutorFactory, Resizable, ThreadExecutor, thread_executors
from appliance.serving.filesystem_source import FileSystemSource, WatchedServable
from appliance.serving.handle import Handle
from appliance.serving.ids import ServableId
from appliance.serving.initial_load import load_initially, more_load_threads
from appliance.serving.loader import Cancellable, Loader
from appliance.serving.loader_factory import Catalogue, LoaderFactory, Which
from appliance.serving.manager import Manager
from appliance.serving.monitor import ServableStateMonitor
from appliance.serving.policy import Load, Policy, Unload, availability_preserving, resource_preserving
from appliance.serving.resources import Resource, ResourceAllocation, ResourceTracker, gpu_ram, main_ram
from appliance.serving.router import SourceRouter
from appliance.serving.simple_loader import SimpleLoader
from appliance.serving.source import Aspire, Source
from appliance.serving.source_adapter import ErrorInjectingAdapter, SourceAdapter
from appliance.serving.state import HarnessState, ManagerState, ServableState
from appliance.serving.static_manager import StaticManager
from appliance.serving.version_policy import All, Latest, Specific, VersionPolicy

__all__ = [
    "All",
    "AnyManager",
    "Aspire",
    "CachingManager",
    "Cancellable",
    "Catalogue",
    "ErrorInjectingAdapter",
    "EventBus",
    "Executor",
    "ExecutorFactory",
    "FileSystemSource",
    "Handle",
    "HarnessState",
    "Latest",
    "Load",
    "LoadCancelled",
    "LoadError",
    "LoadRefused",
    "Loader",
    "LoaderFactory",
    "Manager",
    "ManagerState",
    "NotAvailable",
    "NotServing",
    "OutOfResources",
    "Policy",
    "Resizable",
    "Resource",
    "ResourceAllocation",
    "ResourceTracker",
    "ServableId",
    "ServableState",
    "ServableStateMonitor",
    "ServingError",
    "SimpleLoader",
    "Source",
    "SourceAdapter",
    "SourceRouter",
    "Specific",
    "StaticManager",
    "ThreadExecutor",
    "UnknownResource",
    "Unload",
    "UnloadError",
    "VersionPolicy",
    "WatchedServable",
    "Which",
    "availability_preserving",
    "gpu_ram",
    "load_initially",
    "main_ram",
    "more_load_threads",
    "resource_preserving",
    "thread_executors",
]

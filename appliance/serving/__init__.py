"""The TensorFlow Serving core: versions are aspired, loaded beside the old ones, borrowed, and unloaded in peace.

Sources aspire; the manager loads and unloads, as a policy says and as resources allow; everyone else borrows.
Standard library only.
"""

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
from appliance.serving.executor import Executor, ExecutorFactory, ThreadExecutor
from appliance.serving.filesystem_source import FileSystemSource, WatchedServable
from appliance.serving.handle import Handle
from appliance.serving.ids import ServableId
from appliance.serving.loader import Cancellable, Loader
from appliance.serving.manager import Manager
from appliance.serving.monitor import ServableStateMonitor
from appliance.serving.policy import Load, Policy, Unload, availability_preserving, resource_preserving
from appliance.serving.resources import Resource, ResourceAllocation, ResourceTracker, gpu_ram, main_ram
from appliance.serving.router import SourceRouter
from appliance.serving.source import Aspire, Source
from appliance.serving.source_adapter import ErrorInjectingAdapter, SourceAdapter
from appliance.serving.state import HarnessState, ManagerState, ServableState
from appliance.serving.version_policy import All, Latest, Specific, VersionPolicy

__all__ = [
    "All",
    "Aspire",
    "Cancellable",
    "ErrorInjectingAdapter",
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
    "Manager",
    "ManagerState",
    "NotAvailable",
    "NotServing",
    "OutOfResources",
    "Policy",
    "Resource",
    "ResourceAllocation",
    "ResourceTracker",
    "ServableId",
    "ServableState",
    "ServableStateMonitor",
    "ServingError",
    "Source",
    "SourceAdapter",
    "SourceRouter",
    "Specific",
    "ThreadExecutor",
    "UnknownResource",
    "Unload",
    "UnloadError",
    "VersionPolicy",
    "WatchedServable",
    "availability_preserving",
    "gpu_ram",
    "main_ram",
    "resource_preserving",
]

"""TensorFlow's ops that a package's graph may hold, and what is said of the others.

An op is here because it computes outputs from inputs and from the model's own variables, and touches nothing else: no
file, no socket, no Python, no other process. What is not here is refused, also what is harmless and was never needed:
to allow one more is to add its name below, with a test. Names as in TensorFlow's op registry.
"""

from typing import Final

_STRUCTURE: Final = """
Assert CheckNumerics CheckNumericsV2 Const ControlTrigger Empty EnsureShape FakeParam Identity IdentityN NoOp
Placeholder PlaceholderV2 PlaceholderWithDefault PreventGradient Snapshot StopGradient
"""
"""Holds a graph together."""

_CONTROL_FLOW: Final = """
Case Enter Exit For If LoopCond Merge NextIteration PartitionedCall RefEnter RefExit RefIdentity RefMerge
RefNextIteration RefSelect RefSwitch StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile Switch While
"""
"""Calls functions of the same graph, whose ops are looked at too."""

_VARIABLES: Final = """
Assign AssignAdd AssignAddVariableOp AssignSub AssignSubVariableOp AssignVariableOp DestroyResourceOp
DisableCopyOnRead IsVariableInitialized MutexLock MutexV2 ReadVariableOp ResourceGather ResourceGatherNd
ResourceScatterAdd ResourceScatterUpdate VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2
"""
"""The model's own memory."""

_CHECKPOINTS: Final = """
MergeV2Checkpoints Restore RestoreSlice RestoreV2 Save SaveSlices SaveV2 ShardedFilename ShardedFilespec
"""
"""Every SavedModel carries them. Those that write are refused where anything but a trainer would run them."""

_ARITHMETIC: Final = """
Abs AccumulateNV2 Acos Acosh Add AddN AddV2 Angle ApproximateEqual Asin Asinh Atan Atan2 Atanh BesselI0 BesselI0e
BesselI1 BesselI1e Betainc Bitcast BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue Complex ComplexAbs Conj Cos
Cosh Cross Cumprod Cumsum CumulativeLogsumexp Digamma Div DivNoNan Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv
FloorMod Greater GreaterEqual Igamma Igammac Imag Inv Invert IsFinite IsInf IsNan LeftShift Less LessEqual Lgamma Log
Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan Ndtri Neg NextAfter NotEqual Polygamma
PopulationCount Pow Real RealDiv Reciprocal RightShift Rint Round Rsqrt Sign Sin Sinh Sqrt Square SquaredDifference
Sub Tan TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta
"""

_REDUCTIONS: Final = """
All Any ArgMax ArgMin Bincount Bucketize DenseBincount EuclideanNorm HistogramFixedWidth InTopK InTopKV2
KthOrderStatistic L2Loss Max Mean Min NthElement Prod SegmentMax SegmentMean SegmentMin SegmentProd SegmentSum Sum
TopK TopKV2 UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
"""

_ARRAYS: Final = """
BatchToSpace BatchToSpaceND BroadcastArgs BroadcastGradientArgs BroadcastTo Concat ConcatOffset ConcatV2
ConjugateTranspose DepthToSpace Diag DiagPart DynamicPartition DynamicStitch ExpandDims Fill Gather GatherNd GatherV2
InvertPermutation LinSpace ListDiff LowerBound MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2
MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MirrorPad OneHot OnesLike
Pack Pad PadV2 ParallelConcat ParallelDynamicStitch Range Rank Reshape Reverse ReverseSequence ReverseV2 Roll
ScatterNd ScatterNdNonAliasingAdd Select SelectV2 Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND SpaceToDepth
Split SplitV Squeeze StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub
TensorScatterUpdate TensorStridedSliceUpdate Tile Transpose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack
UnravelIndex UpperBound Where ZerosLike
"""

_LINEAR_ALGEBRA: Final = """
BatchMatMul BatchMatMulV2 BatchMatMulV3 Cholesky Eig Einsum FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT
IRFFT2D IRFFT3D IRFFTND LogMatrixDeterminant Lu MatMul MatrixDeterminant MatrixExponential MatrixInverse MatrixSolve
MatrixSolveLs MatrixSquareRoot MatrixTriangularSolve Qr RFFT RFFT2D RFFT3D RFFTND SelfAdjointEig SelfAdjointEigV2
SparseMatMul Svd TridiagonalMatMul TridiagonalSolve
"""

_NEURAL_NETWORKS: Final = """
AvgPool AvgPool3D BatchNormWithGlobalNormalization BiasAdd BiasAddV1 BlockLSTM BlockLSTMV2 Conv Conv2D
Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D Conv3DBackpropInput Conv3DBackpropInputV2 CudnnRNN CudnnRNNV2
CudnnRNNV3 DataFormatDimMap DataFormatVecPermute DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dilation2D
Elu FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D
FusedResizeAndPadConv2D GRUBlockCell LRN LSTMBlockCell LeakyRelu LogSoftmax MaxPool MaxPool3D MaxPoolV2
MaxPoolWithArgmax Relu Relu6 Selu Sigmoid Softmax SoftmaxCrossEntropyWithLogits Softplus Softsign
SparseSoftmaxCrossEntropyWithLogits Tanh _FusedBatchNormEx _FusedConv2D _FusedDepthwiseConv2dNative _FusedMatMul
"""

_GRADIENTS: Final = """
AvgPoolGrad BiasAddGrad Conv2DBackpropFilter DepthwiseConv2dNativeBackpropFilter EluGrad FusedBatchNormGrad
FusedBatchNormGradV2 FusedBatchNormGradV3 LeakyReluGrad MaxPoolGrad MaxPoolGradV2 MirrorPadGrad ReciprocalGrad
Relu6Grad ReluGrad ResizeBilinearGrad ResizeNearestNeighborGrad RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad
SoftsignGrad SqrtGrad StridedSliceGrad TanhGrad
"""
"""Saliency and attribution maps are computed with them."""

_QUANTIZATION: Final = """
Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel QuantizeAndDequantize
QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 QuantizeDownAndShrinkRange QuantizeV2
QuantizedAdd QuantizedAvgPool QuantizedBiasAdd QuantizedConcat QuantizedConv2D QuantizedMatMul QuantizedMaxPool
QuantizedMul QuantizedRelu QuantizedRelu6 QuantizedReshape QuantizedResizeBilinear RequantizationRange Requantize
UniformDequantize UniformQuantize UniformQuantizedAdd UniformQuantizedClipByValue UniformQuantizedConvolution
UniformQuantizedConvolutionHybrid UniformQuantizedDot UniformQuantizedDotHybrid UniformRequantize
"""

_IMAGES: Final = """
AdjustContrast AdjustContrastv2 AdjustHue AdjustSaturation CombinedNonMaxSuppression CropAndResize DecodeAndCropJpeg
DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeWebP DrawBoundingBoxes DrawBoundingBoxesV2 EncodeJpeg
EncodeJpegVariableQuality EncodePng ExtractGlimpse ExtractGlimpseV2 ExtractImagePatches ExtractJpegShape
ExtractVolumePatches GenerateBoundingBoxProposals HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3
NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5
NonMaxSuppressionWithOverlaps RGBToHSV ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate
"""
"""From bytes that the request brings, never from a file."""

_TEXT_AND_EXAMPLES: Final = """
AsString DecodeBase64 DecodeCSV DecodeCompressed DecodeJSONExample DecodePaddedRaw DecodeRaw EncodeBase64 ParseExample
ParseExampleV2 ParseSequenceExample ParseSequenceExampleV2 ParseSingleExample ParseSingleSequenceExample ParseTensor
ReduceJoin RegexFullMatch RegexReplace SerializeTensor StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin
StringLength StringLower StringNGrams StringSplit StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast
StringToHashBucketStrong StringToNumber StringUpper Substr UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode
UnicodeScript UnicodeTranscode UnsortedSegmentJoin
"""

_RAGGED_AND_SPARSE: Final = """
DeserializeManySparse DeserializeSparse RaggedBincount RaggedCross RaggedFillEmptyRows RaggedGather RaggedRange
RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor RaggedTensorToVariant SerializeManySparse
SerializeSparse SparseAdd SparseBincount SparseConcat SparseCross SparseDenseCwiseAdd SparseDenseCwiseDiv
SparseDenseCwiseMul SparseFillEmptyRows SparseReduceMax SparseReduceSum SparseReorder SparseReshape SparseSegmentMean
SparseSegmentMeanWithNumSegments SparseSegmentSqrtN SparseSegmentSqrtNWithNumSegments SparseSegmentSum
SparseSegmentSumWithNumSegments SparseSlice SparseSoftmax SparseSplit SparseTensorDenseAdd SparseTensorDenseMatMul
SparseToDense
"""

_LISTS_AND_TABLES: Final = """
EmptyTensorList EmptyTensorMap HashTable HashTableV2 InitializeTable InitializeTableV2 LookupTableExport
LookupTableExportV2 LookupTableFind LookupTableFindV2 LookupTableImport LookupTableImportV2 LookupTableInsert
LookupTableInsertV2 LookupTableSize LookupTableSizeV2 MutableDenseHashTableV2 MutableHashTable MutableHashTableV2
Stack StackClose StackCloseV2 StackPop StackPopV2 StackPush StackPushV2 StackV2 TensorArrayCloseV3 TensorArrayConcatV3
TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3
TensorArrayWriteV3 TensorListConcat TensorListConcatLists TensorListConcatV2 TensorListElementShape
TensorListFromTensor TensorListGather TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
TensorListPushBackBatch TensorListReserve TensorListResize TensorListScatter TensorListScatterIntoExistingList
TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack TensorMapErase TensorMapHasKey TensorMapInsert
TensorMapLookup TensorMapSize TensorMapStackKeys
"""
"""Tables whose content is in the graph; those that read a text file are not here."""

_RANDOM: Final = """
Multinomial RandomGamma RandomIndexShuffle RandomPoisson RandomPoissonV2 RandomShuffle RandomStandardNormal
RandomUniform RandomUniformInt RngReadAndSkip RngSkip SampleDistortedBoundingBox SampleDistortedBoundingBoxV2
StatefulStandardNormalV2 StatefulTruncatedNormal StatefulUniform StatefulUniformFullInt StatefulUniformInt
StatelessMultinomial StatelessRandomBinomial StatelessRandomGammaV2 StatelessRandomGetAlg StatelessRandomGetKeyCounter
StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomPoisson
StatelessRandomUniform StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessRandomUniformInt
StatelessRandomUniformIntV2 StatelessRandomUniformV2 StatelessShuffle StatelessTruncatedNormal
StatelessTruncatedNormalV2 TruncatedNormal
"""
"""Dropout and augmentation that an export left in."""

_AUDIO: Final = "AudioSpectrogram DecodeWav EncodeWav Mfcc"

_GROUPS: Final = (
    _STRUCTURE, _CONTROL_FLOW, _VARIABLES, _CHECKPOINTS, _ARITHMETIC, _REDUCTIONS, _ARRAYS, _LINEAR_ALGEBRA,
    _NEURAL_NETWORKS, _GRADIENTS, _QUANTIZATION, _IMAGES, _TEXT_AND_EXAMPLES, _RAGGED_AND_SPARSE, _LISTS_AND_TABLES,
    _RANDOM, _AUDIO,
)  # fmt: skip

ALLOWED: Final = frozenset(name for group in _GROUPS for name in group.split())
WRITES: Final = frozenset({"MergeV2Checkpoints", "Save", "SaveSlices", "SaveV2"})
"""Allowed where only saving a checkpoint would run them."""

_REFUSED: Final = {
    "reads or writes files; put what it reads into the graph as a constant": (
        "ReadFile", "WriteFile", "MatchingFiles", "WholeFileReader", "TextLineReader", "TFRecordReader",
        "FixedLengthRecordReader", "IdentityReader", "LMDBReader", "ReaderRead", "InitializeTableFromTextFile",
        "ImmutableConst", "SaveDataset", "LoadDataset", "TFRecordDataset", "TextLineDataset", "CacheDataset",
        "SnapshotDataset", "Checkpoint", "WriteSummary", "CreateSummaryFileWriter", "DeleteOldDirs",
        "GenerateVocabRemapping", "LoadAndRemapMatrix"),
    "runs Python code, which is not on the box; express it in TensorFlow's ops": (
        "PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset",
    ),
    "prints, also into files; leave tf.print out of what is exported": ("Print",),
    "talks to other processes": (
        "Rpc", "TryRpc", "RemoteCall", "RemoteFusedGraphExecute", "Send", "Recv", "_Send", "_Recv", "_HostSend",
        "_HostRecv", "Collective", "DataService", "RegisterDataset", "ConfigureDistributedTPU", "SqlDataset",
        "BigtableClient", "CloudBigtable", "KafkaDataset",
    ),
    "carries a program of its own that is not looked into; export without native serialization or XLA": (
        "XlaCallModule", "XlaCustomCall", "XlaLaunch", "_XlaRun", "_XlaCompile", "DatasetFromGraph", "TRTEngineOp",
        "SymbolicGradient", "TPUExecute", "TPUCompile",
    ),
    "ends the process": ("Abort",),
}  # fmt: skip


def why_refused(op: str) -> str:
    """What is wrong with an op that is not allowed, as the end of a sentence."""
    for why, beginnings in _REFUSED.items():
        if op.startswith(beginnings):
            return why
    return "is not among the ops that only compute; a custom op, or one that no model on this box has needed yet"

package example

import seaformer.core.UpsamplingCases
import seaformer.core.UpsamplingFactory
import seaformer.library.NativeUpsampling

class NativeUpsamplingTest : UpsamplingCases(UpsamplingFactory(::NativeUpsampling))

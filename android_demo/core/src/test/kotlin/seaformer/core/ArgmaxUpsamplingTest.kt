package seaformer.core

class ArgmaxUpsamplingTest : UpsamplingCases(UpsamplingFactory(::ArgmaxUpsampling))
